BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('v3.2.0.a');
CREATE TABLE marsearch_attempts (
	trial_id INTEGER NOT NULL, 
	study_id INTEGER NOT NULL, 
	trial INTEGER NOT NULL, 
	host VARCHAR(64) NOT NULL, 
	device VARCHAR(64) NOT NULL, 
	state VARCHAR(32) NOT NULL, 
	reason TEXT NOT NULL, 
	value DOUBLE, 
	parameters BIGINT NOT NULL, 
	weights_artifact VARCHAR(255) NOT NULL, 
	started DATETIME NOT NULL, 
	heard DATETIME NOT NULL, 
	finished DATETIME, 
	CONSTRAINT pk_marsearch_attempts PRIMARY KEY (trial_id), 
	CONSTRAINT uq_marsearch_attempts_study_id UNIQUE (study_id, trial)
);
INSERT INTO "marsearch_attempts" VALUES(1,1,0,'406d3afaad77470d','cpu','complete','',1.8400337534062258249e-01,1469,'weights-e23597f600fb3e21-0.safetensors','2026-11-28 13:09:25','2026-11-28 13:09:45.668000','2026-11-28 13:09:48');
INSERT INTO "marsearch_attempts" VALUES(2,1,1,'406d3afaad77470d','cpu','complete','',0.054884777075143,1483,'weights-e23597f600fb3e21-1.safetensors','2026-11-28 13:09:41','2026-11-28 13:09:45.668000','2026-11-28 13:09:48');
INSERT INTO "marsearch_attempts" VALUES(3,1,2,'406d3afaad77470d','cpu','complete','',8.06066889939052455549e-02,1857,'weights-e23597f600fb3e21-2.safetensors','2026-11-28 13:09:48','2026-11-28 13:09:48','2026-11-28 13:09:51');
CREATE TABLE marsearch_datasets (
	digest VARCHAR(128) NOT NULL, 
	path_hint TEXT NOT NULL, 
	samples INTEGER NOT NULL, 
	tests INTEGER NOT NULL, 
	height INTEGER NOT NULL, 
	width INTEGER NOT NULL, 
	channels INTEGER NOT NULL, 
	class_names JSON NOT NULL, 
	class_shares JSON NOT NULL, 
	artifact_id VARCHAR(255) NOT NULL, 
	created DATETIME NOT NULL, 
	CONSTRAINT pk_marsearch_datasets PRIMARY KEY (digest)
);
INSERT INTO "marsearch_datasets" VALUES('d9fdf8797708f88da4aed0a2e3d27825498c515c3a69dc0035ffcc3781f2f255','data.npz',16,1,16,32,1,'["background", "soil", "bedrock", "sand", "big rock"]','[0.290771484375, 0.2763671875, 0.255859375, 0.177001953125, 0.0]','dataset-d9fdf8797708f88da4aed0a2e3d27825498c515c3a69dc0035ffcc3781f2f255.npz','2026-11-28 13:08:58.177962');
CREATE TABLE marsearch_epochs (
	trial_id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	train_loss DOUBLE, 
	validation_loss DOUBLE, 
	miou DOUBLE, 
	miou_strict DOUBLE, 
	accuracy DOUBLE, 
	iou JSON NOT NULL, 
	lr DOUBLE, 
	seconds DOUBLE, 
	memory_mb DOUBLE, 
	recorded DATETIME NOT NULL, 
	CONSTRAINT pk_marsearch_epochs PRIMARY KEY (trial_id, number), 
	CONSTRAINT fk_marsearch_epochs_trial_id FOREIGN KEY(trial_id) REFERENCES marsearch_attempts (trial_id) ON DELETE CASCADE
);
INSERT INTO "marsearch_epochs" VALUES(1,1,6.40818417072296142578e-01,6.39198875427246071545e-01,1.8400337534062258249e-01,1.15398245319688869114e-01,0.241015625,'[null, 0.23559322033898306, 0.19984387197501952, 0.11657303370786516, null]',5.61514889284974675481e-03,2.48903894999784824904e-01,360.5234375,'2026-11-28 13:09:40.848504');
INSERT INTO "marsearch_epochs" VALUES(1,2,6.40665888786315917968e-01,6.385250091552734375e-01,1.79324870710369621562e-01,1.12761152787993479407e-01,0.237109375,'[null, 0.2370184254606365, 0.1946624803767661, 0.1062937062937063, null]',5.61514889284974675481e-03,8.0880161999630217906e-02,361.5234375,'2026-11-28 13:09:40.933259');
INSERT INTO "marsearch_epochs" VALUES(2,1,2.16592144966125488281e+00,2.16065483093261700986e+00,5.34534405644782190103e-02,4.51101185305682328419e-02,0.10703125,'[null, 0.0970954356846473, 0.041584158415841586, 0.07513416815742398, 0.0]',6.86423926221208565573e-03,2.34509504000016022473e-01,364.8984375,'2026-11-28 13:09:41.696822');
INSERT INTO "marsearch_epochs" VALUES(2,2,2.15779566764831542968e+00,2.15724716186523446381e+00,0.054884777075143,4.60624978178601901523e-02,0.1078125,'[null, 0.09248554913294797, 0.045142296368989206, 0.08191126279863481, 0.0]',6.86423926221208565573e-03,2.22720101000049908179e-01,366.1484375,'2026-11-28 13:09:41.905206');
INSERT INTO "marsearch_epochs" VALUES(3,1,9.474620819091796875e-01,9.04016304016113325658e-01,8.06066889939052455549e-02,0.0682099395284356,0.242578125,'[null, 0.1889168765743073, 0.12753378378378377, 0.00597609561752988, 0.0]',3.93754563531313953039e-03,1.82775944999775674659e-01,368.5234375,'2026-11-28 13:09:49.023631');
INSERT INTO "marsearch_epochs" VALUES(3,2,9.06007170677185058593e-01,9.08287906646728537829e-01,6.8117658967910152401e-02,5.92376879131856284854e-02,0.257421875,'[null, 0.1625, 0.10245183887915937, 0.007518796992481203, 0.0]',3.93754563531313953039e-03,1.84196946000156458467e-01,369.1484375,'2026-11-28 13:09:49.204914');
CREATE TABLE marsearch_hosts (
	id VARCHAR(64) NOT NULL, 
	study_id INTEGER NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	machine VARCHAR(64) NOT NULL, 
	pid INTEGER NOT NULL, 
	start VARCHAR(64) NOT NULL, 
	device VARCHAR(64) NOT NULL, 
	workers INTEGER NOT NULL, 
	started DATETIME NOT NULL, 
	heartbeat DATETIME NOT NULL, 
	state VARCHAR(32) NOT NULL, 
	training JSON NOT NULL, 
	CONSTRAINT pk_marsearch_hosts PRIMARY KEY (id)
);
INSERT INTO "marsearch_hosts" VALUES('406d3afaad77470d',1,'somewhere','72881050',30523,'595675','cpu',1,'2026-11-28 13:09:24.467000','2026-11-28 13:09:51.912000','left','[]');
CREATE TABLE marsearch_studies (
	study_id INTEGER NOT NULL, 
	study VARCHAR(512) NOT NULL, 
	data_digest VARCHAR(128) NOT NULL, 
	trials INTEGER NOT NULL, 
	config JSON NOT NULL, 
	created DATETIME NOT NULL, 
	CONSTRAINT pk_marsearch_studies PRIMARY KEY (study_id), 
	CONSTRAINT uq_marsearch_studies_study UNIQUE (study)
);
INSERT INTO "marsearch_studies" VALUES(1,'old','d9fdf8797708f88da4aed0a2e3d27825498c515c3a69dc0035ffcc3781f2f255',4,'{"space": "# One small network; what is not said here is searched.\nmodel: {family: unet, depth: 2, filters: 4, growth: 1.0, norm: [batch, none], bottleneck: plain, upsampling: nearest}\nloss: {boundary: null, lovasz: null}\naugment: {geometry: null, mixing: null}\noptimisation: {batch_size: 8, lr: {low: 1e-3, high: 1e-2, log: true}}\ndata: {oversample: null}\n", "sampler": "random", "pruner": "none", "objective": "miou", "epochs": 2, "warm_start": "none", "holdout": 0.0, "keep": 9, "seed": 0, "max_params": null, "max_gpu_gb": null, "space_digest": "1772b053021bcc53da7f76cfcbfebe8008b5b1a97aa8c1599a7a6e50ffb6bb1f", "facts": "{\"channels\":1,\"height\":16,\"width\":32,\"class_names\":[\"background\",\"soil\",\"bedrock\",\"sand\",\"big rock\"],\"excluded\":[\"background\"]}", "split": "{\"train\": [6, 7, 8, 9, 10, 11, 12, 13, 14, 15], \"validation\": [0, 1, 3, 4, 5], \"holdout\": [], \"method\": \"group\", \"seed\": 0}", "domains": "{\"augment.blur\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.0, \"high\": 1.5, \"log\": false}}}, \"augment.brightness\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.0, \"high\": 0.5, \"log\": false}}}, \"augment.class_factors.background\": {\"value\": null, \"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.0, \"high\": 3.0, \"log\": false}}}, \"augment.class_factors.bedrock\": {\"value\": null, \"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.0, \"high\": 3.0, \"log\": false}}}, \"augment.class_factors.big rock\": {\"value\": null, \"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.0, \"high\": 3.0, \"log\": false}}}, \"augment.class_factors.sand\": {\"value\": null, \"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.0, \"high\": 3.0, \"log\": false}}}, \"augment.class_factors.soil\": {\"value\": null, \"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.0, \"high\": 3.0, \"log\": false}}}, \"augment.contrast\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.0, \"high\": 0.5, \"log\": false}}}, \"augment.flip_horizontal\": {\"among\": {\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [true, false]}}}, \"augment.flip_vertical\": {\"among\": {\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [true, false]}}}, \"augment.geometry.elastic\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.0, \"high\": 8.0, \"log\": false}}}, \"augment.geometry.grid_distortion\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.0, \"high\": 0.5, \"log\": false}}}, \"augment.geometry.rotation\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.0, \"high\": 45.0, \"log\": false}}}, \"augment.geometry.use\": {\"value\": false}, \"augment.geometry.zoom\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.0, \"high\": 0.5, \"log\": false}}}, \"augment.mixing.method\": {\"among\": {\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [\"copy_paste\", \"cutmix\"]}}}, \"augment.mixing.probability\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.05, \"high\": 1.0, \"log\": false}}}, \"augment.mixing.use\": {\"value\": false}, \"augment.noise\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.0, \"high\": 0.3, \"log\": false}}}, \"background.block\": {\"among\": {\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [\"plain\", \"residual\"]}}}, \"background.depth\": {\"among\": {\"name\": \"IntDistribution\", \"attributes\": {\"log\": false, \"step\": 1, \"low\": 2, \"high\": 5}}}, \"background.filters\": {\"among\": {\"name\": \"IntDistribution\", \"attributes\": {\"log\": true, \"step\": 1, \"low\": 4, \"high\": 32}}}, \"background.lr\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.0001, \"high\": 0.01, \"log\": true}}}, \"background.use\": {\"value\": false, \"among\": {\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [true, false]}}}, \"class_weights.background\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.0, \"high\": 1.0, \"log\": false}}}, \"class_weights.factors.background\": {\"value\": null, \"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.0, \"high\": 1000.0, \"log\": false}}}, \"class_weights.factors.bedrock\": {\"value\": null, \"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.0, \"high\": 1000.0, \"log\": false}}}, \"class_weights.factors.big rock\": {\"value\": null, \"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.0, \"high\": 1000.0, \"log\": false}}}, \"class_weights.factors.sand\": {\"value\": null, \"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.0, \"high\": 1000.0, \"log\": false}}}, \"class_weights.factors.soil\": {\"value\": null, \"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.0, \"high\": 1000.0, \"log\": false}}}, \"class_weights.iou_offset\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.02, \"high\": 1.0, \"log\": true}}}, \"class_weights.scheme\": {\"among\": {\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [\"none\", \"inverse_frequency\", \"adaptive\"]}}}, \"class_weights.smoothing\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.0, \"high\": 1.0, \"log\": false}}}, \"data.cleaning\": {\"value\": \"mask\", \"among\": {\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [\"none\", \"mask\", \"mahalanobis\", \"mean\"]}}}, \"data.oversample.copies\": {\"among\": {\"name\": \"IntDistribution\", \"attributes\": {\"log\": false, \"step\": 1, \"low\": 2, \"high\": 8}}}, \"data.oversample.isolate\": {\"among\": {\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [true, false]}}}, \"data.oversample.phase\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.1, \"high\": 1.0, \"log\": false}}}, \"data.oversample.use\": {\"value\": false}, \"loss.bce.use\": {\"among\": {\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [true, false]}}}, \"loss.bce.weight\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.05, \"high\": 1.0, \"log\": false}}}, \"loss.boundary.use\": {\"value\": false}, \"loss.boundary.weight\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.05, \"high\": 1.0, \"log\": false}}}, \"loss.cross_entropy.use\": {\"among\": {\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [true, false]}}}, \"loss.cross_entropy.weight\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.05, \"high\": 1.0, \"log\": false}}}, \"loss.dice.average\": {\"among\": {\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [\"per_class\", \"pooled\"]}}}, \"loss.dice.use\": {\"among\": {\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [true, false]}}}, \"loss.dice.weight\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.05, \"high\": 1.0, \"log\": false}}}, \"loss.focal.gamma\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.5, \"high\": 5.0, \"log\": false}}}, \"loss.focal.use\": {\"among\": {\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [true, false]}}}, \"loss.focal.weight\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.05, \"high\": 1.0, \"log\": false}}}, \"loss.ignore_excluded\": {\"among\": {\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [true, false]}}}, \"loss.inter.bce.use\": {\"among\": {\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [true, false]}}}, \"loss.inter.bce.weight\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.05, \"high\": 1.0, \"log\": false}}}, \"loss.inter.boundary.use\": {\"among\": {\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [true, false]}}}, \"loss.inter.boundary.weight\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.05, \"high\": 1.0, \"log\": false}}}, \"loss.inter.cross_entropy.use\": {\"among\": {\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [true, false]}}}, \"loss.inter.cross_entropy.weight\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.05, \"high\": 1.0, \"log\": false}}}, \"loss.inter.dice.average\": {\"among\": {\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [\"per_class\", \"pooled\"]}}}, \"loss.inter.dice.use\": {\"among\": {\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [true, false]}}}, \"loss.inter.dice.weight\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.05, \"high\": 1.0, \"log\": false}}}, \"loss.inter.focal.gamma\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.5, \"high\": 5.0, \"log\": false}}}, \"loss.inter.focal.use\": {\"among\": {\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [true, false]}}}, \"loss.inter.focal.weight\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.05, \"high\": 1.0, \"log\": false}}}, \"loss.inter.level_weight\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.05, \"high\": 1.0, \"log\": false}}}, \"loss.inter.lovasz.use\": {\"among\": {\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [true, false]}}}, \"loss.inter.lovasz.weight\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.05, \"high\": 1.0, \"log\": false}}}, \"loss.inter.mae.use\": {\"among\": {\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [true, false]}}}, \"loss.inter.mae.weight\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.05, \"high\": 1.0, \"log\": false}}}, \"loss.inter.tversky.false_negatives\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.1, \"high\": 1.0, \"log\": false}}}, \"loss.inter.tversky.false_positives\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.1, \"high\": 1.0, \"log\": false}}}, \"loss.inter.tversky.use\": {\"among\": {\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [true, false]}}}, \"loss.inter.tversky.weight\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.05, \"high\": 1.0, \"log\": false}}}, \"loss.inter.use\": {\"value\": false, \"among\": {\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [true, false]}}}, \"loss.level_weight\": {\"value\": 1.0, \"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.05, \"high\": 1.0, \"log\": false}}}, \"loss.lovasz.use\": {\"value\": false}, \"loss.lovasz.weight\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.05, \"high\": 1.0, \"log\": false}}}, \"loss.low.bce.use\": {\"among\": {\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [true, false]}}}, \"loss.low.bce.weight\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.05, \"high\": 1.0, \"log\": false}}}, \"loss.low.boundary.use\": {\"among\": {\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [true, false]}}}, \"loss.low.boundary.weight\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.05, \"high\": 1.0, \"log\": false}}}, \"loss.low.cross_entropy.use\": {\"among\": {\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [true, false]}}}, \"loss.low.cross_entropy.weight\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.05, \"high\": 1.0, \"log\": false}}}, \"loss.low.dice.average\": {\"among\": {\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [\"per_class\", \"pooled\"]}}}, \"loss.low.dice.use\": {\"among\": {\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [true, false]}}}, \"loss.low.dice.weight\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.05, \"high\": 1.0, \"log\": false}}}, \"loss.low.focal.gamma\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.5, \"high\": 5.0, \"log\": false}}}, \"loss.low.focal.use\": {\"among\": {\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [true, false]}}}, \"loss.low.focal.weight\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.05, \"high\": 1.0, \"log\": false}}}, \"loss.low.level_weight\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.05, \"high\": 1.0, \"log\": false}}}, \"loss.low.lovasz.use\": {\"among\": {\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [true, false]}}}, \"loss.low.lovasz.weight\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.05, \"high\": 1.0, \"log\": false}}}, \"loss.low.mae.use\": {\"among\": {\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [true, false]}}}, \"loss.low.mae.weight\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.05, \"high\": 1.0, \"log\": false}}}, \"loss.low.tversky.false_negatives\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.1, \"high\": 1.0, \"log\": false}}}, \"loss.low.tversky.false_positives\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.1, \"high\": 1.0, \"log\": false}}}, \"loss.low.tversky.use\": {\"among\": {\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [true, false]}}}, \"loss.low.tversky.weight\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.05, \"high\": 1.0, \"log\": false}}}, \"loss.low.use\": {\"value\": false, \"among\": {\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [true, false]}}}, \"loss.mae.use\": {\"among\": {\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [true, false]}}}, \"loss.mae.weight\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.05, \"high\": 1.0, \"log\": false}}}, \"loss.tversky.false_negatives\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.1, \"high\": 1.0, \"log\": false}}}, \"loss.tversky.false_positives\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.1, \"high\": 1.0, \"log\": false}}}, \"loss.tversky.use\": {\"among\": {\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [true, false]}}}, \"loss.tversky.weight\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.05, \"high\": 1.0, \"log\": false}}}, \"model.activation\": {\"among\": {\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [\"relu\", \"leaky_relu\", \"elu\", \"gelu\", \"silu\"]}}}, \"model.block\": {\"among\": {\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [\"plain\", \"residual\", \"inception\", \"dense\", \"residual_first\", \"inception_first\", \"plain_then_residual\", \"plain_then_inception\"]}}}, \"model.bottleneck\": {\"value\": \"plain\"}, \"model.decoder_block\": {\"among\": {\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [\"same\", \"plain\", \"residual\", \"inception\", \"dense\", \"residual_first\", \"inception_first\", \"plain_then_residual\", \"plain_then_inception\"]}}}, \"model.depth\": {\"value\": 2}, \"model.dropout\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.0, \"high\": 0.6, \"log\": false}}}, \"model.dropout_place\": {\"among\": {\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [\"every_block\", \"encoder\", \"bottleneck\", \"decoder\"]}}}, \"model.family\": {\"value\": \"unet\"}, \"model.filters\": {\"value\": 4}, \"model.growth\": {\"value\": 1.0}, \"model.kernel\": {\"value\": 3, \"among\": {\"name\": \"IntDistribution\", \"attributes\": {\"log\": false, \"step\": 2, \"low\": 3, \"high\": 7}}}, \"model.norm\": {\"among\": {\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [\"batch\", \"none\"]}}}, \"model.skip\": {\"among\": {\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [\"concat\", \"weighted_sum\", \"attention_gate\"]}}}, \"model.squeeze\": {\"among\": {\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [\"nowhere\", \"bottleneck\", \"every_block\"]}}}, \"model.upsampling\": {\"value\": \"nearest\"}, \"model.widest\": {\"value\": 512, \"among\": {\"name\": \"IntDistribution\", \"attributes\": {\"log\": false, \"step\": 1, \"low\": 16, \"high\": 1024}}}, \"optimisation.batch_size\": {\"value\": 8}, \"optimisation.epochs\": {\"value\": 2}, \"optimisation.lr\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.001, \"high\": 0.01, \"log\": true}}}, \"optimisation.momentum\": {\"value\": 0.9, \"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.8, \"high\": 0.99, \"log\": false}}}, \"optimisation.optimizer\": {\"among\": {\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [\"sgd\", \"adam\", \"adamw\"]}}}, \"optimisation.patience\": {\"value\": 30, \"among\": {\"name\": \"IntDistribution\", \"attributes\": {\"log\": false, \"step\": 1, \"low\": 1, \"high\": 2000}}}, \"optimisation.schedule\": {\"among\": {\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [\"none\", \"plateau\", \"one_cycle\", \"cosine\", \"poly\"]}}}, \"optimisation.weight_decay\": {\"among\": {\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 1e-06, \"high\": 0.1, \"log\": true}}}}"}','2026-11-28 13:08:57.942079');
CREATE TABLE marsearch_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT marsearch_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "marsearch_version" VALUES('0001');
CREATE TABLE studies (
	study_id INTEGER NOT NULL, 
	study_name VARCHAR(512) NOT NULL, 
	PRIMARY KEY (study_id)
);
INSERT INTO "studies" VALUES(1,'old');
CREATE TABLE study_directions (
	study_direction_id INTEGER NOT NULL, 
	direction VARCHAR(8) NOT NULL, 
	study_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	PRIMARY KEY (study_direction_id), 
	UNIQUE (study_id, objective), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_directions" VALUES(1,'MAXIMIZE',1,0);
CREATE TABLE study_system_attributes (
	study_system_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_system_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_system_attributes" VALUES(1,1,'marsearch:made_by','"ced58db904944efcba121f27770c2b65"');
INSERT INTO "study_system_attributes" VALUES(2,1,'study:metric_names','["val mIoU"]');
CREATE TABLE study_user_attributes (
	study_user_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_user_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_user_attributes" VALUES(1,1,'sampler','"random"');
INSERT INTO "study_user_attributes" VALUES(2,1,'pruner','"none"');
INSERT INTO "study_user_attributes" VALUES(3,1,'objective','"miou"');
INSERT INTO "study_user_attributes" VALUES(4,1,'trials','4');
INSERT INTO "study_user_attributes" VALUES(5,1,'epochs','2');
INSERT INTO "study_user_attributes" VALUES(6,1,'seed','0');
INSERT INTO "study_user_attributes" VALUES(7,1,'data_digest','"d9fdf8797708f88da4aed0a2e3d27825498c515c3a69dc0035ffcc3781f2f255"');
INSERT INTO "study_user_attributes" VALUES(8,1,'space_digest','"1772b053021bcc53da7f76cfcbfebe8008b5b1a97aa8c1599a7a6e50ffb6bb1f"');
CREATE TABLE trial_heartbeats (
	trial_heartbeat_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	heartbeat DATETIME NOT NULL, 
	PRIMARY KEY (trial_heartbeat_id), 
	UNIQUE (trial_id), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_intermediate_values (
	trial_intermediate_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	step INTEGER NOT NULL, 
	intermediate_value FLOAT, 
	intermediate_value_type VARCHAR(7) NOT NULL, 
	PRIMARY KEY (trial_intermediate_value_id), 
	UNIQUE (trial_id, step), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_intermediate_values" VALUES(1,1,2,1.8400337534062258249e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(2,2,2,0.054884777075143,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(3,3,2,8.06066889939052455549e-02,'FINITE');
CREATE TABLE trial_params (
	param_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	param_name VARCHAR(512), 
	param_value FLOAT, 
	distribution_json TEXT, 
	PRIMARY KEY (param_id), 
	UNIQUE (trial_id, param_name), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_params" VALUES(1,1,'model.block',6.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "residual", "inception", "dense", "residual_first", "inception_first", "plain_then_residual", "plain_then_inception"]}}');
INSERT INTO "trial_params" VALUES(2,1,'model.norm',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["batch", "none"]}}');
INSERT INTO "trial_params" VALUES(3,1,'model.activation',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["relu", "leaky_relu", "elu", "gelu", "silu"]}}');
INSERT INTO "trial_params" VALUES(4,1,'model.dropout',5.84876805409052291651e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.6, "log": false}}');
INSERT INTO "trial_params" VALUES(5,1,'model.dropout_place',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["every_block", "encoder", "bottleneck", "decoder"]}}');
INSERT INTO "trial_params" VALUES(6,1,'model.squeeze',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["nowhere", "bottleneck", "every_block"]}}');
INSERT INTO "trial_params" VALUES(7,1,'model.decoder_block',6.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["same", "plain", "residual", "inception", "dense", "residual_first", "inception_first", "plain_then_residual", "plain_then_inception"]}}');
INSERT INTO "trial_params" VALUES(8,1,'model.skip',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["concat", "weighted_sum", "attention_gate"]}}');
INSERT INTO "trial_params" VALUES(9,1,'loss.cross_entropy.use',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(10,1,'loss.bce.use',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(11,1,'loss.dice.use',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(12,1,'loss.dice.weight',2.95913822913313639961e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.05, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(13,1,'loss.dice.average',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["per_class", "pooled"]}}');
INSERT INTO "trial_params" VALUES(14,1,'loss.focal.use',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(15,1,'loss.focal.weight',3.54845013277140186591e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.05, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(16,1,'loss.focal.gamma',4.737230799420498073e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.5, "high": 5.0, "log": false}}');
INSERT INTO "trial_params" VALUES(17,1,'loss.tversky.use',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(18,1,'loss.mae.use',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(19,1,'loss.ignore_excluded',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(20,1,'class_weights.scheme',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "inverse_frequency", "adaptive"]}}');
INSERT INTO "trial_params" VALUES(21,1,'class_weights.smoothing',4.31427748731606719445e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(22,1,'class_weights.iou_offset',4.75976019878687262032e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.02, "high": 1.0, "log": true}}');
INSERT INTO "trial_params" VALUES(23,1,'class_weights.background',7.90437371733664462247e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(24,1,'augment.flip_horizontal',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(25,1,'augment.flip_vertical',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(26,1,'augment.noise',2.83999608823560789616e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.3, "log": false}}');
INSERT INTO "trial_params" VALUES(27,1,'augment.blur',1.22614335777196314936e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.5, "log": false}}');
INSERT INTO "trial_params" VALUES(28,1,'augment.brightness',1.3278958079065389386e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.5, "log": false}}');
INSERT INTO "trial_params" VALUES(29,1,'augment.contrast',4.69904418409993862582e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.5, "log": false}}');
INSERT INTO "trial_params" VALUES(30,1,'optimisation.optimizer',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["sgd", "adam", "adamw"]}}');
INSERT INTO "trial_params" VALUES(31,1,'optimisation.lr',5.61514889284974675481e-03,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.001, "high": 0.01, "log": true}}');
INSERT INTO "trial_params" VALUES(32,1,'optimisation.weight_decay',9.52335342807031468188e-04,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-06, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(33,1,'optimisation.schedule',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "plateau", "one_cycle", "cosine", "poly"]}}');
INSERT INTO "trial_params" VALUES(34,2,'model.block',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "residual", "inception", "dense", "residual_first", "inception_first", "plain_then_residual", "plain_then_inception"]}}');
INSERT INTO "trial_params" VALUES(35,2,'model.norm',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["batch", "none"]}}');
INSERT INTO "trial_params" VALUES(36,2,'model.activation',4.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["relu", "leaky_relu", "elu", "gelu", "silu"]}}');
INSERT INTO "trial_params" VALUES(37,2,'model.dropout',4.55820119612489693672e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.6, "log": false}}');
INSERT INTO "trial_params" VALUES(38,2,'model.dropout_place',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["every_block", "encoder", "bottleneck", "decoder"]}}');
INSERT INTO "trial_params" VALUES(39,2,'model.squeeze',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["nowhere", "bottleneck", "every_block"]}}');
INSERT INTO "trial_params" VALUES(40,2,'model.decoder_block',7.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["same", "plain", "residual", "inception", "dense", "residual_first", "inception_first", "plain_then_residual", "plain_then_inception"]}}');
INSERT INTO "trial_params" VALUES(41,2,'model.skip',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["concat", "weighted_sum", "attention_gate"]}}');
INSERT INTO "trial_params" VALUES(42,2,'loss.cross_entropy.use',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(43,2,'loss.cross_entropy.weight',5.88005469638209321558e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.05, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(44,2,'loss.bce.use',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(45,2,'loss.bce.weight',8.11265469645099934759e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.05, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(46,2,'loss.dice.use',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(47,2,'loss.focal.use',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(48,2,'loss.focal.weight',5.54643649591480825122e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.05, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(49,2,'loss.focal.gamma',3.0205820273370651563e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.5, "high": 5.0, "log": false}}');
INSERT INTO "trial_params" VALUES(50,2,'loss.tversky.use',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(51,2,'loss.mae.use',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(52,2,'loss.ignore_excluded',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(53,2,'class_weights.scheme',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "inverse_frequency", "adaptive"]}}');
INSERT INTO "trial_params" VALUES(54,2,'class_weights.smoothing',7.50033406500022925555e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(55,2,'class_weights.iou_offset',0.0816165497562443,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.02, "high": 1.0, "log": true}}');
INSERT INTO "trial_params" VALUES(56,2,'class_weights.background',5.10636410869889201258e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(57,2,'augment.flip_horizontal',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(58,2,'augment.flip_vertical',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(59,2,'augment.noise',2.66578529196854485672e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.3, "log": false}}');
INSERT INTO "trial_params" VALUES(60,2,'augment.blur',7.48528658764838095152e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.5, "log": false}}');
INSERT INTO "trial_params" VALUES(61,2,'augment.brightness',4.24773613299452235114e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.5, "log": false}}');
INSERT INTO "trial_params" VALUES(62,2,'augment.contrast',1.45675630816267498435e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.5, "log": false}}');
INSERT INTO "trial_params" VALUES(63,2,'optimisation.optimizer',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["sgd", "adam", "adamw"]}}');
INSERT INTO "trial_params" VALUES(64,2,'optimisation.lr',6.86423926221208565573e-03,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.001, "high": 0.01, "log": true}}');
INSERT INTO "trial_params" VALUES(65,2,'optimisation.weight_decay',2.24260045262628290234e-06,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-06, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(66,2,'optimisation.schedule',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "plateau", "one_cycle", "cosine", "poly"]}}');
INSERT INTO "trial_params" VALUES(67,3,'model.block',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "residual", "inception", "dense", "residual_first", "inception_first", "plain_then_residual", "plain_then_inception"]}}');
INSERT INTO "trial_params" VALUES(68,3,'model.norm',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["batch", "none"]}}');
INSERT INTO "trial_params" VALUES(69,3,'model.activation',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["relu", "leaky_relu", "elu", "gelu", "silu"]}}');
INSERT INTO "trial_params" VALUES(70,3,'model.dropout',5.83957053272899928586e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.6, "log": false}}');
INSERT INTO "trial_params" VALUES(71,3,'model.dropout_place',3.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["every_block", "encoder", "bottleneck", "decoder"]}}');
INSERT INTO "trial_params" VALUES(72,3,'model.squeeze',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["nowhere", "bottleneck", "every_block"]}}');
INSERT INTO "trial_params" VALUES(73,3,'model.decoder_block',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["same", "plain", "residual", "inception", "dense", "residual_first", "inception_first", "plain_then_residual", "plain_then_inception"]}}');
INSERT INTO "trial_params" VALUES(74,3,'model.skip',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["concat", "weighted_sum", "attention_gate"]}}');
INSERT INTO "trial_params" VALUES(75,3,'loss.cross_entropy.use',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(76,3,'loss.cross_entropy.weight',4.2157858122138508472e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.05, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(77,3,'loss.bce.use',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(78,3,'loss.bce.weight',6.75649308900915929188e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.05, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(79,3,'loss.dice.use',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(80,3,'loss.dice.weight',0.320921652190692,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.05, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(81,3,'loss.dice.average',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["per_class", "pooled"]}}');
INSERT INTO "trial_params" VALUES(82,3,'loss.focal.use',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(83,3,'loss.focal.weight',9.15428505270343362276e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.05, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(84,3,'loss.focal.gamma',4.63523421324409845567e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.5, "high": 5.0, "log": false}}');
INSERT INTO "trial_params" VALUES(85,3,'loss.tversky.use',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(86,3,'loss.tversky.weight',7.05270197532946729879e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.05, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(87,3,'loss.tversky.false_positives',1.54205060162240392696e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.1, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(88,3,'loss.tversky.false_negatives',9.02252855734929304354e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.1, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(89,3,'loss.mae.use',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(90,3,'loss.mae.weight',2.00015080061699435098e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.05, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(91,3,'loss.ignore_excluded',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(92,3,'class_weights.scheme',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "inverse_frequency", "adaptive"]}}');
INSERT INTO "trial_params" VALUES(93,3,'class_weights.smoothing',9.78575617798950192494e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(94,3,'class_weights.iou_offset',9.28721085549341518472e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.02, "high": 1.0, "log": true}}');
INSERT INTO "trial_params" VALUES(95,3,'class_weights.background',3.7439060554088032795e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(96,3,'augment.flip_horizontal',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(97,3,'augment.flip_vertical',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(98,3,'augment.noise',1.97664462153886416606e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.3, "log": false}}');
INSERT INTO "trial_params" VALUES(99,3,'augment.blur',1.00257387810164888541e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.5, "log": false}}');
INSERT INTO "trial_params" VALUES(100,3,'augment.brightness',1.95346584087025487708e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.5, "log": false}}');
INSERT INTO "trial_params" VALUES(101,3,'augment.contrast',0.0671348479865922,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.5, "log": false}}');
INSERT INTO "trial_params" VALUES(102,3,'optimisation.optimizer',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["sgd", "adam", "adamw"]}}');
INSERT INTO "trial_params" VALUES(103,3,'optimisation.lr',3.93754563531313953039e-03,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.001, "high": 0.01, "log": true}}');
INSERT INTO "trial_params" VALUES(104,3,'optimisation.weight_decay',1.68194211935508377729e-05,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-06, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(105,3,'optimisation.schedule',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "plateau", "one_cycle", "cosine", "poly"]}}');
CREATE TABLE trial_system_attributes (
	trial_system_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_system_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_system_attributes" VALUES(1,1,'marsearch:made_by','"7a4edfed2f834d47ac23d8d99901db3d"');
INSERT INTO "trial_system_attributes" VALUES(2,2,'marsearch:made_by','"79b811701fe34b4581c58a6f84c3f634"');
INSERT INTO "trial_system_attributes" VALUES(3,2,'artifacts:ad321666-0d4a-4f43-8b3f-97561bf1c923','"{\"artifact_id\": \"ad321666-0d4a-4f43-8b3f-97561bf1c923\", \"filename\": \"00_panel.png\", \"mimetype\": \"image/png\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(4,2,'artifacts:49939eff-def1-4af9-a553-8e5641e2737e','"{\"artifact_id\": \"49939eff-def1-4af9-a553-8e5641e2737e\", \"filename\": \"10_curves.png\", \"mimetype\": \"image/png\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(5,2,'artifacts:e8f930e6-63f3-457e-aa1d-00b6e73873e6','"{\"artifact_id\": \"e8f930e6-63f3-457e-aa1d-00b6e73873e6\", \"filename\": \"20_confusion.png\", \"mimetype\": \"image/png\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(6,2,'artifacts:2ca4a1b7-4f53-47af-bcd1-735f861dac2a','"{\"artifact_id\": \"2ca4a1b7-4f53-47af-bcd1-735f861dac2a\", \"filename\": \"30_iou.csv\", \"mimetype\": \"text/csv\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(7,2,'artifacts:1ff6a5eb-f133-43b0-a2a5-3fecc8f8f7e8','"{\"artifact_id\": \"1ff6a5eb-f133-43b0-a2a5-3fecc8f8f7e8\", \"filename\": \"40_recipe.yaml\", \"mimetype\": \"text/plain\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(8,2,'artifacts:fa593f2d-0d78-4a74-8d73-650b01c4f3b4','"{\"artifact_id\": \"fa593f2d-0d78-4a74-8d73-650b01c4f3b4\", \"filename\": \"50_confusion.csv\", \"mimetype\": \"text/csv\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(9,3,'marsearch:made_by','"b795a8b0e81c4e75829fab082ed8dbb4"');
INSERT INTO "trial_system_attributes" VALUES(10,1,'artifacts:e2495117-347e-48b8-9356-d4a43be8bb16','"{\"artifact_id\": \"e2495117-347e-48b8-9356-d4a43be8bb16\", \"filename\": \"00_panel.png\", \"mimetype\": \"image/png\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(11,1,'artifacts:a08c49de-2763-4f15-b6d2-7941739ca770','"{\"artifact_id\": \"a08c49de-2763-4f15-b6d2-7941739ca770\", \"filename\": \"10_curves.png\", \"mimetype\": \"image/png\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(12,1,'artifacts:957430ca-9d74-4f28-923f-0e4e0e0fe24c','"{\"artifact_id\": \"957430ca-9d74-4f28-923f-0e4e0e0fe24c\", \"filename\": \"20_confusion.png\", \"mimetype\": \"image/png\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(13,1,'artifacts:61c04811-dc7f-4bab-8f42-589452d9eff1','"{\"artifact_id\": \"61c04811-dc7f-4bab-8f42-589452d9eff1\", \"filename\": \"30_iou.csv\", \"mimetype\": \"text/csv\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(14,1,'artifacts:e9038add-4f33-4ef9-9462-e00e8d7bc054','"{\"artifact_id\": \"e9038add-4f33-4ef9-9462-e00e8d7bc054\", \"filename\": \"40_recipe.yaml\", \"mimetype\": \"text/plain\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(15,1,'artifacts:01568718-d471-45b8-bb2c-ec2dc2f838b3','"{\"artifact_id\": \"01568718-d471-45b8-bb2c-ec2dc2f838b3\", \"filename\": \"50_confusion.csv\", \"mimetype\": \"text/csv\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(16,3,'artifacts:3e6fc944-88a3-4403-993c-b0c9276d431d','"{\"artifact_id\": \"3e6fc944-88a3-4403-993c-b0c9276d431d\", \"filename\": \"00_panel.png\", \"mimetype\": \"image/png\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(17,3,'artifacts:b173b953-59ae-49bc-80a9-04f7c24c74d6','"{\"artifact_id\": \"b173b953-59ae-49bc-80a9-04f7c24c74d6\", \"filename\": \"10_curves.png\", \"mimetype\": \"image/png\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(18,3,'artifacts:8d2064fa-b750-4bc4-9eeb-740ee88bf142','"{\"artifact_id\": \"8d2064fa-b750-4bc4-9eeb-740ee88bf142\", \"filename\": \"20_confusion.png\", \"mimetype\": \"image/png\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(19,3,'artifacts:530a2713-7743-49c4-8506-20b1f511ce7f','"{\"artifact_id\": \"530a2713-7743-49c4-8506-20b1f511ce7f\", \"filename\": \"30_iou.csv\", \"mimetype\": \"text/csv\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(20,3,'artifacts:7b08f3e7-785c-493e-ae4e-6bc748154386','"{\"artifact_id\": \"7b08f3e7-785c-493e-ae4e-6bc748154386\", \"filename\": \"40_recipe.yaml\", \"mimetype\": \"text/plain\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(21,3,'artifacts:2ce18d4d-e10a-404b-8642-d0f69fd482c9','"{\"artifact_id\": \"2ce18d4d-e10a-404b-8642-d0f69fd482c9\", \"filename\": \"50_confusion.csv\", \"mimetype\": \"text/csv\", \"encoding\": null}"');
CREATE TABLE trial_user_attributes (
	trial_user_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_user_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_user_attributes" VALUES(1,1,'miou','0.18400337534062258');
INSERT INTO "trial_user_attributes" VALUES(2,1,'miou_strict','0.11539824531968887');
INSERT INTO "trial_user_attributes" VALUES(3,1,'accuracy','0.241015625');
INSERT INTO "trial_user_attributes" VALUES(4,1,'best_epoch','1');
INSERT INTO "trial_user_attributes" VALUES(5,1,'parameters','1469');
INSERT INTO "trial_user_attributes" VALUES(6,1,'iou_soil','0.23559322033898306');
INSERT INTO "trial_user_attributes" VALUES(7,1,'iou_bedrock','0.19984387197501952');
INSERT INTO "trial_user_attributes" VALUES(8,1,'iou_sand','0.11657303370786516');
INSERT INTO "trial_user_attributes" VALUES(9,1,'epochs','2');
INSERT INTO "trial_user_attributes" VALUES(10,1,'training_seconds','0.33');
INSERT INTO "trial_user_attributes" VALUES(11,1,'confusion','[[0, 199, 144, 321, 1], [0, 278, 186, 146, 0], [0, 463, 256, 257, 0], [0, 107, 119, 83, 0], [0, 0, 0, 0, 0]]');
INSERT INTO "trial_user_attributes" VALUES(12,2,'miou','0.054884777075143');
INSERT INTO "trial_user_attributes" VALUES(13,2,'miou_strict','0.04606249781786019');
INSERT INTO "trial_user_attributes" VALUES(14,2,'accuracy','0.1078125');
INSERT INTO "trial_user_attributes" VALUES(15,2,'best_epoch','2');
INSERT INTO "trial_user_attributes" VALUES(16,2,'parameters','1483');
INSERT INTO "trial_user_attributes" VALUES(17,2,'iou_soil','0.09248554913294797');
INSERT INTO "trial_user_attributes" VALUES(18,2,'iou_bedrock','0.045142296368989206');
INSERT INTO "trial_user_attributes" VALUES(19,2,'iou_sand','0.08191126279863481');
INSERT INTO "trial_user_attributes" VALUES(20,2,'iou_big rock','0.0');
INSERT INTO "trial_user_attributes" VALUES(21,2,'epochs','2');
INSERT INTO "trial_user_attributes" VALUES(22,2,'training_seconds','0.457');
INSERT INTO "trial_user_attributes" VALUES(23,2,'confusion','[[22, 220, 33, 370, 20], [29, 112, 40, 402, 27], [35, 403, 46, 461, 31], [2, 198, 3, 96, 10], [0, 0, 0, 0, 0]]');
INSERT INTO "trial_user_attributes" VALUES(24,3,'miou','0.08060668899390525');
INSERT INTO "trial_user_attributes" VALUES(25,3,'miou_strict','0.0682099395284356');
INSERT INTO "trial_user_attributes" VALUES(26,3,'accuracy','0.242578125');
INSERT INTO "trial_user_attributes" VALUES(27,3,'best_epoch','1');
INSERT INTO "trial_user_attributes" VALUES(28,3,'parameters','1857');
INSERT INTO "trial_user_attributes" VALUES(29,3,'iou_soil','0.1889168765743073');
INSERT INTO "trial_user_attributes" VALUES(30,3,'iou_bedrock','0.12753378378378377');
INSERT INTO "trial_user_attributes" VALUES(31,3,'iou_sand','0.00597609561752988');
INSERT INTO "trial_user_attributes" VALUES(32,3,'iou_big rock','0.0');
INSERT INTO "trial_user_attributes" VALUES(33,3,'epochs','2');
INSERT INTO "trial_user_attributes" VALUES(34,3,'training_seconds','0.367');
INSERT INTO "trial_user_attributes" VALUES(35,3,'confusion','[[242, 404, 16, 3, 0], [194, 225, 154, 31, 6], [228, 429, 151, 162, 6], [100, 152, 54, 3, 0], [0, 0, 0, 0, 0]]');
CREATE TABLE trial_values (
	trial_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	value FLOAT, 
	value_type VARCHAR(7) NOT NULL, 
	PRIMARY KEY (trial_value_id), 
	UNIQUE (trial_id, objective), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_values" VALUES(1,2,0,0.054884777075143,'FINITE');
INSERT INTO "trial_values" VALUES(2,1,0,1.8400337534062258249e-01,'FINITE');
INSERT INTO "trial_values" VALUES(3,3,0,8.06066889939052455549e-02,'FINITE');
CREATE TABLE trials (
	trial_id INTEGER NOT NULL, 
	number INTEGER, 
	study_id INTEGER, 
	state VARCHAR(8) NOT NULL, 
	datetime_start DATETIME, 
	datetime_complete DATETIME, 
	PRIMARY KEY (trial_id), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "trials" VALUES(1,0,1,'COMPLETE','2026-11-28 13:09:25.651735','2026-11-28 13:09:48.683137');
INSERT INTO "trials" VALUES(2,1,1,'COMPLETE','2026-11-28 13:09:41.096056','2026-11-28 13:09:48.276078');
INSERT INTO "trials" VALUES(3,2,1,'COMPLETE','2026-11-28 13:09:48.326038','2026-11-28 13:09:51.593784');
CREATE TABLE version_info (
	version_info_id INTEGER NOT NULL, 
	schema_version INTEGER, 
	library_version VARCHAR(256), 
	PRIMARY KEY (version_info_id), 
	CHECK (version_info_id=1)
);
INSERT INTO "version_info" VALUES(1,12,'5.0.0');
CREATE UNIQUE INDEX ix_studies_study_name ON studies (study_name);
CREATE INDEX ix_trials_study_id ON trials (study_id);
CREATE INDEX ix_marsearch_hosts_study_id_state ON marsearch_hosts (study_id, state);
COMMIT;
