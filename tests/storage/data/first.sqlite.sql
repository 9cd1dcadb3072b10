BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('v3.2.0.a');
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
INSERT INTO "marsearch_datasets" VALUES('324c7af1604d08a2fa18a5520e1a46e8a098ac14f68977915717443d3b371ea3','data.npz',24,2,16,32,1,'["background", "soil", "bedrock", "sand", "big rock"]','[0.2431640625, 0.3264973958333333, 0.2534993489583333, 0.17569986979166666, 0.0011393229166666667]','dataset-324c7af1604d08a2fa18a5520e1a46e8a098ac14f68977915717443d3b371ea3.npz','2026-11-21 04:57:02.103943');
CREATE TABLE marsearch_epochs (
	run_id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	train_loss DOUBLE, 
	validation_loss DOUBLE, 
	miou DOUBLE, 
	miou_strict DOUBLE, 
	iou JSON NOT NULL, 
	lr DOUBLE, 
	seconds DOUBLE, 
	memory_mb DOUBLE, 
	recorded DATETIME NOT NULL, 
	CONSTRAINT pk_marsearch_epochs PRIMARY KEY (run_id, number), 
	CONSTRAINT fk_marsearch_epochs_run_id FOREIGN KEY(run_id) REFERENCES marsearch_runs (id) ON DELETE CASCADE
);
INSERT INTO "marsearch_epochs" VALUES(1,1,1.48865640163421630859e+00,1.53703141212463378906e+00,6.2245366812123989475e-02,4.59001137760769312157e-02,'[null, 0.05562579013906448, 0.03343465045592705, 0.15992102665350444, 0.0]',6.68119616163556639953e-03,1.27470618539991846778e+01,341.28125,'2026-11-21 04:58:00.467452');
INSERT INTO "marsearch_epochs" VALUES(1,2,1.34577119350433349609e+00,1.39137303829193115234e+00,8.84738216604608745941e-02,6.79856006027581838413e-02,'[null, 0.1558139534883721, 0.030470914127423823, 0.16761041902604756, 0.0]',6.68119616163556639953e-03,7.2874609610007610172e+00,341.90625,'2026-11-21 04:58:07.875425');
INSERT INTO "marsearch_epochs" VALUES(1,3,1.12028245627880096435e+00,1.2041288614273071289e+00,1.13507424475166401878e-01,8.82610704915299804085e-02,'[null, 0.2634920634920635, 0.04, 0.15053763440860216, 0.0]',6.68119616163556639953e-03,1.28543373709981096904e+01,341.90625,'2026-11-21 04:58:20.639337');
INSERT INTO "marsearch_epochs" VALUES(2,1,3.26563572883605957031e+00,1.02169179916381835937e+00,8.46362834925165480326e-02,5.94529177144823214873e-02,'[null, 0.0377113133940182, 0.20719424460431654, 0.09363957597173145, 0.0]',1.30511972050504580084e-03,1.37945255739978165363e+01,347.515625,'2026-11-21 04:58:36.435405');
INSERT INTO "marsearch_epochs" VALUES(2,2,1.26085376739501953125e+00,1.0008792877197265625e+00,8.6840165636337590671e-02,6.53571740464496259148e-02,'[null, 0.07259073842302878, 0.18731117824773413, 0.08745874587458746, 0.0]',6.9941155027051908101e-04,1.09994516579972696486e+01,347.890625,'2026-11-21 04:58:47.391360');
INSERT INTO "marsearch_epochs" VALUES(2,3,1.46738797426223754882e+00,9.96063947677612304687e-01,8.83092841440637488226e-02,0.0677285023937665,'[null, 0.0845771144278607, 0.18294573643410852, 0.08571428571428572, 0.0]',9.37033800359925373585e-05,5.38450105800075107254e+00,347.890625,'2026-11-21 04:58:53.251823');
INSERT INTO "marsearch_epochs" VALUES(3,1,1.08074927330017089843e+00,1.08932423591613769531e+00,4.20885375830263239183e-02,3.12021481759666048649e-02,'[null, 0.02610966057441253, 0.017241379310344827, 0.0829145728643216, null]',6.22145160701800635635e-05,1.61101145920001727058e+01,353.98828125,'2026-11-21 04:59:11.017017');
INSERT INTO "marsearch_epochs" VALUES(4,1,2.30582606792449951171e+00,1.94732820987701416015e+00,8.66904919949110785992e-02,0.0655893810918279,'[null, 0.021164021164021163, 0.2217453505007153, 0.10385259631490787, 0.0]',9.30038522029532667423e-03,1.83720809410006040707e+01,358.6171875,'2026-11-21 04:59:36.911591');
INSERT INTO "marsearch_epochs" VALUES(4,2,1.80748564004898071289e+00,1.49312222003936767578e+00,9.02742917802969446761e-02,6.48845103055428196192e-02,'[null, 0.03524804177545692, 0.21662125340599456, 0.10922787193973635, 0.0]',4.32686693972439417876e-03,1.41848675500004901546e+01,359.7421875,'2026-11-21 04:59:51.131366');
INSERT INTO "marsearch_epochs" VALUES(4,3,1.78027853369712829589e+00,1.50414001941680908203e+00,8.50431185439553816163e-02,6.01789178299791394088e-02,'[null, 0.027131782945736434, 0.1829436038514443, 0.13009708737864079, 0.0]',3.74104620211496356535e-08,7.8816380200078128837e-01,359.8671875,'2026-11-21 04:59:51.915340');
INSERT INTO "marsearch_epochs" VALUES(5,1,2.03283561766147613525e+00,6.78974092006683349609e-01,2.60225339592852489278e-01,1.78299087838904135594e-01,'[null, 0.5899403239556692, 0.1907356948228883, 0.0, null]',0.0636583878870628,1.59662104699964402243e+00,362.05078125,'2026-11-21 04:59:54.023141');
INSERT INTO "marsearch_epochs" VALUES(5,2,0.790620967745781,7.84016072750091552734e-01,8.31183967673540524678e-02,5.57852785970519224334e-02,'[null, 0.031928480204342274, 0.21742671009771988, 0.0, null]',0.0636583878870628,2.9136874899995746091e-01,362.67578125,'2026-11-21 04:59:54.319006');
INSERT INTO "marsearch_epochs" VALUES(5,3,7.93689370155334472656e-01,7.36063480377197265625e-01,7.60535855003940108876e-02,4.87936204544352838952e-02,'[null, 0.010666666666666666, 0.21749408983451538, 0.0, null]',0.0636583878870628,1.27339861900327377952e+00,362.67578125,'2026-11-21 04:59:55.648711');
INSERT INTO "marsearch_epochs" VALUES(6,1,1.41237661242485046386e+00,7.44591116905212402343e-01,1.58942910449261537442e-01,1.06838690821029105859e-01,'[null, 0.43129139072847683, 0.04553734061930783, 0.0, null]',1.84535623640494812758e-02,8.01756100000056903809e+00,362.67578125,'2026-11-21 05:00:04.556336');
INSERT INTO "marsearch_epochs" VALUES(6,2,0.863289549946785,6.60068988800048828125e-01,1.84970345359586230138e-01,1.20457073153230731499e-01,'[null, 0.5130505709624796, 0.04186046511627907, 0.0, null]',1.84535623640494812758e-02,7.54198983400056,362.67578125,'2026-11-21 05:00:12.203194');
INSERT INTO "marsearch_epochs" VALUES(6,3,7.54614219069480895996e-01,7.15023875236511230468e-01,7.25659096841555772972e-02,4.52473958333333356462e-02,'[null, 0.0, 0.21769772905246673, 0.0, null]',1.84535623640494812758e-02,6.00325750999763840809e+00,362.67578125,'2026-11-21 05:00:18.228809');
CREATE TABLE marsearch_plans (
	study_id INTEGER NOT NULL, 
	study VARCHAR(512) NOT NULL, 
	data_digest VARCHAR(128) NOT NULL, 
	space_digest VARCHAR(128) NOT NULL, 
	space TEXT NOT NULL, 
	facts TEXT NOT NULL, 
	sampler VARCHAR(64) NOT NULL, 
	pruner VARCHAR(64) NOT NULL, 
	objective VARCHAR(64) NOT NULL, 
	trials INTEGER NOT NULL, 
	epochs INTEGER NOT NULL, 
	warm_start TEXT NOT NULL, 
	holdout DOUBLE NOT NULL, 
	keep INTEGER NOT NULL, 
	seed BIGINT NOT NULL, 
	split TEXT NOT NULL, 
	created DATETIME NOT NULL, 
	CONSTRAINT pk_marsearch_plans PRIMARY KEY (study_id), 
	CONSTRAINT uq_marsearch_plans_study UNIQUE (study)
);
INSERT INTO "marsearch_plans" VALUES(1,'old','324c7af1604d08a2fa18a5520e1a46e8a098ac14f68977915717443d3b371ea3','d663faceb9371caecc03f0e98696978e04155ad9e654f7032ae77d04a014d294','# as narrow as a test can afford; everything else is searched as it was then
model: {depth: 2, filters: {low: 4, high: 6}, growth: {low: 1.0, high: 1.5}}
optimisation: {batch_size: [4, 8]}
','{"channels":1,"height":16,"width":32,"class_names":["background","soil","bedrock","sand","big rock"],"excluded":["background"]}','tpe','median','miou',9,3,'none',0.0,9,0,'{"train": [0, 1, 2, 3, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20], "validation": [5, 21, 22, 23], "holdout": [], "method": "group", "seed": 0}','2026-11-21 04:57:02.145578');
CREATE TABLE marsearch_runs (
	id INTEGER NOT NULL, 
	study_id INTEGER NOT NULL, 
	trial INTEGER NOT NULL, 
	worker VARCHAR(64) NOT NULL, 
	device VARCHAR(64) NOT NULL, 
	state VARCHAR(32) NOT NULL, 
	reason TEXT NOT NULL, 
	value DOUBLE, 
	parameters BIGINT NOT NULL, 
	weights_artifact VARCHAR(255) NOT NULL, 
	started DATETIME NOT NULL, 
	finished DATETIME, 
	CONSTRAINT pk_marsearch_runs PRIMARY KEY (id)
);
INSERT INTO "marsearch_runs" VALUES(1,1,0,'ea09c473bf51','cpu','complete','',1.13507424475166401878e-01,1765,'weights-d663face-0-1.safetensors','2026-11-21 04:57:28.925568','2026-11-21 04:58:40.577499');
INSERT INTO "marsearch_runs" VALUES(2,1,1,'ea09c473bf51','cpu','complete','',8.83092841440637488226e-02,1725,'weights-d663face-1-2.safetensors','2026-11-21 04:58:22.420753','2026-11-21 04:59:04.792290');
INSERT INTO "marsearch_runs" VALUES(3,1,2,'ea09c473bf51','cpu','pruned','pruned at epoch 1: 0.0421 at its rung',NULL,0,'','2026-11-21 04:58:54.790213','2026-11-21 04:59:18.107864');
INSERT INTO "marsearch_runs" VALUES(4,1,3,'ea09c473bf51','cpu','complete','',9.02742917802969446761e-02,5196,'weights-d663face-3-4.safetensors','2026-11-21 04:59:18.414102','2026-11-21 04:59:53.303767');
INSERT INTO "marsearch_runs" VALUES(5,1,4,'ea09c473bf51','cpu','complete','',2.60225339592852489278e-01,1953,'weights-d663face-4-5.safetensors','2026-11-21 04:59:52.326805','2026-11-21 05:00:00.079372');
INSERT INTO "marsearch_runs" VALUES(6,1,5,'ea09c473bf51','cpu','complete','',1.84970345359586230138e-01,1848,'weights-d663face-5-6.safetensors','2026-11-21 04:59:56.481299','2026-11-21 05:00:21.592241');
CREATE TABLE marsearch_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT marsearch_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "marsearch_version" VALUES('0001');
CREATE TABLE marsearch_workers (
	id VARCHAR(64) NOT NULL, 
	study_id INTEGER NOT NULL, 
	host VARCHAR(255) NOT NULL, 
	pid INTEGER NOT NULL, 
	device VARCHAR(64) NOT NULL, 
	slots INTEGER NOT NULL, 
	started DATETIME NOT NULL, 
	beat DATETIME NOT NULL, 
	state VARCHAR(32) NOT NULL, 
	trials TEXT NOT NULL, 
	CONSTRAINT pk_marsearch_workers PRIMARY KEY (id)
);
INSERT INTO "marsearch_workers" VALUES('ea09c473bf51',1,'machine',30135,'cpu',1,'2026-11-21 04:57:28.403621','2026-11-21 05:00:22.486952','left','');
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
INSERT INTO "study_system_attributes" VALUES(1,1,'study:metric_names','["val mIoU"]');
CREATE TABLE study_user_attributes (
	study_user_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_user_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_user_attributes" VALUES(1,1,'space_digest','"d663faceb9371caecc03f0e98696978e04155ad9e654f7032ae77d04a014d294"');
INSERT INTO "study_user_attributes" VALUES(2,1,'data_digest','"324c7af1604d08a2fa18a5520e1a46e8a098ac14f68977915717443d3b371ea3"');
INSERT INTO "study_user_attributes" VALUES(3,1,'sampler','"tpe"');
INSERT INTO "study_user_attributes" VALUES(4,1,'pruner','"median"');
INSERT INTO "study_user_attributes" VALUES(5,1,'objective','"miou"');
INSERT INTO "study_user_attributes" VALUES(6,1,'trials','9');
INSERT INTO "study_user_attributes" VALUES(7,1,'epochs','3');
INSERT INTO "study_user_attributes" VALUES(8,1,'seed','0');
CREATE TABLE trial_heartbeats (
	trial_heartbeat_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	heartbeat DATETIME NOT NULL, 
	PRIMARY KEY (trial_heartbeat_id), 
	UNIQUE (trial_id), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_heartbeats" VALUES(1,1,'2026-11-21 04:58:28.000000');
INSERT INTO "trial_heartbeats" VALUES(2,2,'2026-11-21 04:58:53.000000');
INSERT INTO "trial_heartbeats" VALUES(3,3,'2026-11-21 04:58:54');
INSERT INTO "trial_heartbeats" VALUES(4,4,'2026-11-21 04:59:48.000000');
INSERT INTO "trial_heartbeats" VALUES(5,5,'2026-11-21 04:59:52');
INSERT INTO "trial_heartbeats" VALUES(6,6,'2026-11-21 04:59:56');
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
INSERT INTO "trial_intermediate_values" VALUES(1,1,1,6.2245366812123989475e-02,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(2,1,2,8.84738216604608745941e-02,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(3,1,3,1.13507424475166401878e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(4,2,1,8.46362834925165480326e-02,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(5,2,2,8.6840165636337590671e-02,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(6,2,3,8.83092841440637488226e-02,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(7,3,1,4.20885375830263239183e-02,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(8,4,1,8.66904919949110785992e-02,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(9,4,2,9.02742917802969446761e-02,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(10,4,3,9.02742917802969446761e-02,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(11,5,1,2.60225339592852489278e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(12,5,2,2.60225339592852489278e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(13,5,3,2.60225339592852489278e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(14,6,1,1.58942910449261537442e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(15,6,2,1.84970345359586230138e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(16,6,3,1.84970345359586230138e-01,'FINITE');
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
INSERT INTO "trial_params" VALUES(1,1,'model.filters',4.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 4, "high": 6}}');
INSERT INTO "trial_params" VALUES(2,1,'model.growth',1.05185832694334324699e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1.0, "high": 1.5, "log": false}}');
INSERT INTO "trial_params" VALUES(3,1,'model.block',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "residual"]}}');
INSERT INTO "trial_params" VALUES(4,1,'model.norm',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "batch", "instance", "layer", "group"]}}');
INSERT INTO "trial_params" VALUES(5,1,'model.activation',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["relu", "leaky_relu", "elu", "gelu", "silu"]}}');
INSERT INTO "trial_params" VALUES(6,1,'model.dropout',4.87920160096339594613e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.6, "log": false}}');
INSERT INTO "trial_params" VALUES(7,1,'model.upsampling',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["nearest", "bilinear", "transposed"]}}');
INSERT INTO "trial_params" VALUES(8,1,'loss.cross_entropy.use',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(9,1,'loss.dice.use',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(10,1,'loss.focal.weight',8.77505858905796909397e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.05, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(11,1,'loss.focal.gamma',3.59770037605556547433e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.5, "high": 5.0, "log": false}}');
INSERT INTO "trial_params" VALUES(12,1,'loss.ignore_excluded',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(13,1,'class_weights.scheme',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "inverse_frequency"]}}');
INSERT INTO "trial_params" VALUES(14,1,'class_weights.smoothing',6.94328095927113642105e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(15,1,'class_weights.background',9.84475319258977243919e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(16,1,'augment.flip_horizontal',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(17,1,'augment.flip_vertical',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(18,1,'augment.noise',1.46631591619309692431e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.3, "log": false}}');
INSERT INTO "trial_params" VALUES(19,1,'augment.blur',0.433209647400532,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.5, "log": false}}');
INSERT INTO "trial_params" VALUES(20,1,'optimisation.optimizer',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["sgd", "adam", "adamw"]}}');
INSERT INTO "trial_params" VALUES(21,1,'optimisation.lr',6.68119616163556639953e-03,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-05, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(22,1,'optimisation.weight_decay',5.65891287891578096715e-04,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-06, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(23,1,'optimisation.schedule',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "plateau", "one_cycle", "cosine"]}}');
INSERT INTO "trial_params" VALUES(24,1,'optimisation.batch_size',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [4, 8]}}');
INSERT INTO "trial_params" VALUES(25,2,'model.filters',4.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 4, "high": 6}}');
INSERT INTO "trial_params" VALUES(26,2,'model.growth',1.00753057306751547805e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1.0, "high": 1.5, "log": false}}');
INSERT INTO "trial_params" VALUES(27,2,'model.block',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "residual"]}}');
INSERT INTO "trial_params" VALUES(28,2,'model.norm',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "batch", "instance", "layer", "group"]}}');
INSERT INTO "trial_params" VALUES(29,2,'model.activation',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["relu", "leaky_relu", "elu", "gelu", "silu"]}}');
INSERT INTO "trial_params" VALUES(30,2,'model.dropout',4.83498869375797613034e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.6, "log": false}}');
INSERT INTO "trial_params" VALUES(31,2,'model.upsampling',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["nearest", "bilinear", "transposed"]}}');
INSERT INTO "trial_params" VALUES(32,2,'loss.cross_entropy.use',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(33,2,'loss.cross_entropy.weight',1.60809651457988589395e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.05, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(34,2,'loss.dice.use',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(35,2,'loss.dice.weight',3.07364664678266785724e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.05, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(36,2,'loss.focal.use',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(37,2,'loss.focal.weight',9.10206847367824645189e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.05, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(38,2,'loss.focal.gamma',2.53105033666664702707e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.5, "high": 5.0, "log": false}}');
INSERT INTO "trial_params" VALUES(39,2,'loss.ignore_excluded',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(40,2,'class_weights.scheme',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "inverse_frequency"]}}');
INSERT INTO "trial_params" VALUES(41,2,'class_weights.smoothing',1.90357132451704935682e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(42,2,'class_weights.background',3.52325843066252364366e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(43,2,'augment.flip_horizontal',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(44,2,'augment.flip_vertical',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(45,2,'augment.noise',2.15864227760542648493e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.3, "log": false}}');
INSERT INTO "trial_params" VALUES(46,2,'augment.blur',4.35205130890551961098e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.5, "log": false}}');
INSERT INTO "trial_params" VALUES(47,2,'optimisation.optimizer',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["sgd", "adam", "adamw"]}}');
INSERT INTO "trial_params" VALUES(48,2,'optimisation.lr',1.39882310054103816202e-03,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-05, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(49,2,'optimisation.weight_decay',1.34457419787208693905e-05,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-06, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(50,2,'optimisation.schedule',3.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "plateau", "one_cycle", "cosine"]}}');
INSERT INTO "trial_params" VALUES(51,2,'optimisation.batch_size',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [4, 8]}}');
INSERT INTO "trial_params" VALUES(52,3,'model.filters',5.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 4, "high": 6}}');
INSERT INTO "trial_params" VALUES(53,3,'model.growth',1.49347710836908653675e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1.0, "high": 1.5, "log": false}}');
INSERT INTO "trial_params" VALUES(54,3,'model.block',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "residual"]}}');
INSERT INTO "trial_params" VALUES(55,3,'model.norm',4.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "batch", "instance", "layer", "group"]}}');
INSERT INTO "trial_params" VALUES(56,3,'model.activation',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["relu", "leaky_relu", "elu", "gelu", "silu"]}}');
INSERT INTO "trial_params" VALUES(57,3,'model.dropout',2.74235267412604732939e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.6, "log": false}}');
INSERT INTO "trial_params" VALUES(58,3,'model.upsampling',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["nearest", "bilinear", "transposed"]}}');
INSERT INTO "trial_params" VALUES(59,3,'loss.cross_entropy.use',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(60,3,'loss.dice.use',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(61,3,'loss.dice.weight',7.81814238318694676443e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.05, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(62,3,'loss.focal.use',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(63,3,'loss.focal.weight',8.12011265233222534476e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.05, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(64,3,'loss.focal.gamma',2.68523272056493489401e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.5, "high": 5.0, "log": false}}');
INSERT INTO "trial_params" VALUES(65,3,'loss.ignore_excluded',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(66,3,'class_weights.scheme',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "inverse_frequency"]}}');
INSERT INTO "trial_params" VALUES(67,3,'class_weights.smoothing',6.65774979077044526398e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(68,3,'class_weights.background',5.0061059053863121715e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(69,3,'augment.flip_horizontal',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(70,3,'augment.flip_vertical',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(71,3,'augment.noise',1.17340604596226874556e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.3, "log": false}}');
INSERT INTO "trial_params" VALUES(72,3,'augment.blur',1.42998499770914033746e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.5, "log": false}}');
INSERT INTO "trial_params" VALUES(73,3,'optimisation.optimizer',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["sgd", "adam", "adamw"]}}');
INSERT INTO "trial_params" VALUES(74,3,'optimisation.lr',6.25639082542692697005e-05,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-05, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(75,3,'optimisation.weight_decay',2.66626574189640412572e-05,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-06, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(76,3,'optimisation.schedule',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "plateau", "one_cycle", "cosine"]}}');
INSERT INTO "trial_params" VALUES(77,3,'optimisation.batch_size',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [4, 8]}}');
INSERT INTO "trial_params" VALUES(78,4,'model.filters',6.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 4, "high": 6}}');
INSERT INTO "trial_params" VALUES(79,4,'model.growth',1.18183828787017519701e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1.0, "high": 1.5, "log": false}}');
INSERT INTO "trial_params" VALUES(80,4,'model.block',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "residual"]}}');
INSERT INTO "trial_params" VALUES(81,4,'model.norm',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "batch", "instance", "layer", "group"]}}');
INSERT INTO "trial_params" VALUES(82,4,'model.activation',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["relu", "leaky_relu", "elu", "gelu", "silu"]}}');
INSERT INTO "trial_params" VALUES(83,4,'model.dropout',5.66492764341577081932e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.6, "log": false}}');
INSERT INTO "trial_params" VALUES(84,4,'model.upsampling',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["nearest", "bilinear", "transposed"]}}');
INSERT INTO "trial_params" VALUES(85,4,'loss.cross_entropy.use',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(86,4,'loss.cross_entropy.weight',1.2854570140092536068e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.05, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(87,4,'loss.dice.use',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(88,4,'loss.focal.use',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(89,4,'loss.focal.weight',2.76225047301299431179e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.05, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(90,4,'loss.focal.gamma',1.61649038929908206441e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.5, "high": 5.0, "log": false}}');
INSERT INTO "trial_params" VALUES(91,4,'loss.ignore_excluded',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(92,4,'class_weights.scheme',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "inverse_frequency"]}}');
INSERT INTO "trial_params" VALUES(93,4,'class_weights.smoothing',5.38474342519769111348e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(94,4,'class_weights.background',2.90361605586948123836e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(95,4,'augment.flip_horizontal',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(96,4,'augment.flip_vertical',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(97,4,'augment.noise',1.05571963792410211668e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.3, "log": false}}');
INSERT INTO "trial_params" VALUES(98,4,'augment.blur',6.68613331913313624355e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.5, "log": false}}');
INSERT INTO "trial_params" VALUES(99,4,'optimisation.optimizer',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["sgd", "adam", "adamw"]}}');
INSERT INTO "trial_params" VALUES(100,4,'optimisation.lr',9.35261550528740902288e-03,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-05, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(101,4,'optimisation.weight_decay',0.080597950740777,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-06, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(102,4,'optimisation.schedule',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "plateau", "one_cycle", "cosine"]}}');
INSERT INTO "trial_params" VALUES(103,4,'optimisation.batch_size',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [4, 8]}}');
INSERT INTO "trial_params" VALUES(104,5,'model.filters',4.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 4, "high": 6}}');
INSERT INTO "trial_params" VALUES(105,5,'model.growth',1.11180750073699741165e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1.0, "high": 1.5, "log": false}}');
INSERT INTO "trial_params" VALUES(106,5,'model.block',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "residual"]}}');
INSERT INTO "trial_params" VALUES(107,5,'model.norm',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "batch", "instance", "layer", "group"]}}');
INSERT INTO "trial_params" VALUES(108,5,'model.activation',4.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["relu", "leaky_relu", "elu", "gelu", "silu"]}}');
INSERT INTO "trial_params" VALUES(109,5,'model.dropout',3.93849936553764823354e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.6, "log": false}}');
INSERT INTO "trial_params" VALUES(110,5,'model.upsampling',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["nearest", "bilinear", "transposed"]}}');
INSERT INTO "trial_params" VALUES(111,5,'loss.cross_entropy.use',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(112,5,'loss.cross_entropy.weight',2.04140119937109176806e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.05, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(113,5,'loss.dice.use',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(114,5,'loss.dice.weight',6.71157403706903687989e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.05, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(115,5,'loss.focal.use',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(116,5,'loss.focal.weight',3.40642948749719565171e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.05, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(117,5,'loss.focal.gamma',4.31037164674715267409e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.5, "high": 5.0, "log": false}}');
INSERT INTO "trial_params" VALUES(118,5,'loss.ignore_excluded',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(119,5,'class_weights.scheme',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "inverse_frequency"]}}');
INSERT INTO "trial_params" VALUES(120,5,'class_weights.smoothing',1.40357175810753798117e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(121,5,'class_weights.background',9.14546045196068524418e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(122,5,'augment.flip_horizontal',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(123,5,'augment.flip_vertical',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(124,5,'augment.noise',1.63374511054922649799e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.3, "log": false}}');
INSERT INTO "trial_params" VALUES(125,5,'augment.blur',1.11303660353291034024e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.5, "log": false}}');
INSERT INTO "trial_params" VALUES(126,5,'optimisation.optimizer',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["sgd", "adam", "adamw"]}}');
INSERT INTO "trial_params" VALUES(127,5,'optimisation.lr',0.0636583878870628,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-05, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(128,5,'optimisation.weight_decay',2.78912848529426220895e-06,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-06, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(129,5,'optimisation.schedule',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "plateau", "one_cycle", "cosine"]}}');
INSERT INTO "trial_params" VALUES(130,5,'optimisation.batch_size',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [4, 8]}}');
INSERT INTO "trial_params" VALUES(131,6,'model.filters',4.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 4, "high": 6}}');
INSERT INTO "trial_params" VALUES(132,6,'model.growth',1.08527050200322783268e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1.0, "high": 1.5, "log": false}}');
INSERT INTO "trial_params" VALUES(133,6,'model.block',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "residual"]}}');
INSERT INTO "trial_params" VALUES(134,6,'model.norm',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "batch", "instance", "layer", "group"]}}');
INSERT INTO "trial_params" VALUES(135,6,'model.activation',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["relu", "leaky_relu", "elu", "gelu", "silu"]}}');
INSERT INTO "trial_params" VALUES(136,6,'model.dropout',2.86612403092120326952e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.6, "log": false}}');
INSERT INTO "trial_params" VALUES(137,6,'model.upsampling',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["nearest", "bilinear", "transposed"]}}');
INSERT INTO "trial_params" VALUES(138,6,'loss.cross_entropy.use',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(139,6,'loss.dice.use',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(140,6,'loss.focal.weight',9.46962122939408068589e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.05, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(141,6,'loss.focal.gamma',2.28645968734815774325e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.5, "high": 5.0, "log": false}}');
INSERT INTO "trial_params" VALUES(142,6,'loss.ignore_excluded',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(143,6,'class_weights.scheme',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "inverse_frequency"]}}');
INSERT INTO "trial_params" VALUES(144,6,'class_weights.smoothing',7.55042259142239546854e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(145,6,'class_weights.background',9.80398421921374607634e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(146,6,'augment.flip_horizontal',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(147,6,'augment.flip_vertical',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO "trial_params" VALUES(148,6,'augment.noise',1.23079571134986395786e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.3, "log": false}}');
INSERT INTO "trial_params" VALUES(149,6,'augment.blur',7.78477471087836270235e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.5, "log": false}}');
INSERT INTO "trial_params" VALUES(150,6,'optimisation.optimizer',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["sgd", "adam", "adamw"]}}');
INSERT INTO "trial_params" VALUES(151,6,'optimisation.lr',1.84535623640494812758e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-05, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(152,6,'optimisation.weight_decay',4.13432504014101843969e-03,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-06, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(153,6,'optimisation.schedule',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "plateau", "one_cycle", "cosine"]}}');
INSERT INTO "trial_params" VALUES(154,6,'optimisation.batch_size',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [4, 8]}}');
CREATE TABLE trial_system_attributes (
	trial_system_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_system_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_system_attributes" VALUES(1,1,'artifacts:95a1b306-31f2-4585-8e28-94388afcff70','"{\"artifact_id\": \"95a1b306-31f2-4585-8e28-94388afcff70\", \"filename\": \"00_panel.png\", \"mimetype\": \"image/png\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(2,1,'artifacts:d9c54254-df48-4d20-8b02-cf924bc7f64a','"{\"artifact_id\": \"d9c54254-df48-4d20-8b02-cf924bc7f64a\", \"filename\": \"10_curves.png\", \"mimetype\": \"image/png\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(3,1,'artifacts:ef717175-538d-4773-8a1e-5aeeb758bae2','"{\"artifact_id\": \"ef717175-538d-4773-8a1e-5aeeb758bae2\", \"filename\": \"20_confusion.png\", \"mimetype\": \"image/png\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(4,1,'artifacts:d420e059-b323-4bfc-a6f0-4fae3f036488','"{\"artifact_id\": \"d420e059-b323-4bfc-a6f0-4fae3f036488\", \"filename\": \"30_iou.csv\", \"mimetype\": \"text/csv\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(5,1,'artifacts:1b06bb7e-3b85-438c-9acd-38901f8add47','"{\"artifact_id\": \"1b06bb7e-3b85-438c-9acd-38901f8add47\", \"filename\": \"40_recipe.yaml\", \"mimetype\": \"text/plain\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(6,2,'artifacts:29e820ee-d969-470a-82ae-5fe0a7f4c486','"{\"artifact_id\": \"29e820ee-d969-470a-82ae-5fe0a7f4c486\", \"filename\": \"00_panel.png\", \"mimetype\": \"image/png\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(7,2,'artifacts:befb8c2c-899f-477f-ad69-d7f67afdbe97','"{\"artifact_id\": \"befb8c2c-899f-477f-ad69-d7f67afdbe97\", \"filename\": \"10_curves.png\", \"mimetype\": \"image/png\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(8,2,'artifacts:55997099-c87c-4389-9d6a-dfe2efcae549','"{\"artifact_id\": \"55997099-c87c-4389-9d6a-dfe2efcae549\", \"filename\": \"20_confusion.png\", \"mimetype\": \"image/png\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(9,2,'artifacts:b8707797-e9b3-4aec-a3ed-67adcaa64948','"{\"artifact_id\": \"b8707797-e9b3-4aec-a3ed-67adcaa64948\", \"filename\": \"30_iou.csv\", \"mimetype\": \"text/csv\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(10,2,'artifacts:b38ee0ae-3a38-4514-81ac-c60e4dc3a7f9','"{\"artifact_id\": \"b38ee0ae-3a38-4514-81ac-c60e4dc3a7f9\", \"filename\": \"40_recipe.yaml\", \"mimetype\": \"text/plain\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(11,4,'artifacts:7ef8cb34-55db-4617-8747-f77aeeb7e288','"{\"artifact_id\": \"7ef8cb34-55db-4617-8747-f77aeeb7e288\", \"filename\": \"00_panel.png\", \"mimetype\": \"image/png\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(12,4,'artifacts:b0133fe3-6c9f-42be-9311-2fa6971654d6','"{\"artifact_id\": \"b0133fe3-6c9f-42be-9311-2fa6971654d6\", \"filename\": \"10_curves.png\", \"mimetype\": \"image/png\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(13,4,'artifacts:311273ab-1e96-423f-a4fb-c6e1dc0100b1','"{\"artifact_id\": \"311273ab-1e96-423f-a4fb-c6e1dc0100b1\", \"filename\": \"20_confusion.png\", \"mimetype\": \"image/png\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(14,4,'artifacts:4e5b5a10-d47d-4b8d-9516-9bc50d28d7cf','"{\"artifact_id\": \"4e5b5a10-d47d-4b8d-9516-9bc50d28d7cf\", \"filename\": \"30_iou.csv\", \"mimetype\": \"text/csv\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(15,4,'artifacts:4783ddb6-2ac1-4aaf-be86-0b14c8c0e056','"{\"artifact_id\": \"4783ddb6-2ac1-4aaf-be86-0b14c8c0e056\", \"filename\": \"40_recipe.yaml\", \"mimetype\": \"text/plain\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(16,6,'tpe:relative_params:0','"{\"augment.blur\": 0.7784774710878363, \"augment.flip_horizontal\": true, \"augment.flip_vertical\": false, \"augment.noise\": 0.1230795711349864, \"class_weights.background\": 0.09803984219213746, \"class_weights.scheme\": \"inverse_frequency\", \"class_weights.smoothing\": 0.07550422591422395, \"loss.cross_entropy.use\": false, \"loss.dice.use\": false, \"loss.focal.gamma\": 2.2864596873481577, \"loss.focal.weight\": 0.9469621229394081, \"loss.ignore_excluded\": false, \"model.activation\": \"leaky_relu\", \"model.block\": \"plain\", \"model.dropout\": 0.2866124030921203, \"model.filters\": 4, \"model.growth\": 1.0852705020032278, \"model.norm\": \"none\", \"model.upsampling\": \"nearest\", \"optimisation.batch_size\": 4, \"optimisation.lr\": 0.01845356236404948, \"optimisation.optimizer\": \"adamw\", \"optimisation.schedule\": \"plateau\", \"optimisation.weight_decay\": 0.0041343250401410184, \"loss.focal.use\": false, \"loss.dice.weight\": 0.06360891459094703, \"loss.cross_entropy.weight\": 0.9228024097742541}"');
INSERT INTO "trial_system_attributes" VALUES(17,5,'artifacts:7587dbfa-3c1b-4087-8054-99d6d0fa9cd0','"{\"artifact_id\": \"7587dbfa-3c1b-4087-8054-99d6d0fa9cd0\", \"filename\": \"00_panel.png\", \"mimetype\": \"image/png\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(18,5,'artifacts:5848c4f1-e7e1-4297-9c6d-f940a992a5c3','"{\"artifact_id\": \"5848c4f1-e7e1-4297-9c6d-f940a992a5c3\", \"filename\": \"10_curves.png\", \"mimetype\": \"image/png\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(19,5,'artifacts:8aca5441-1031-4947-acea-3640cec49ab9','"{\"artifact_id\": \"8aca5441-1031-4947-acea-3640cec49ab9\", \"filename\": \"20_confusion.png\", \"mimetype\": \"image/png\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(20,5,'artifacts:473827d4-2931-4d7d-82cb-31ede7ad2b43','"{\"artifact_id\": \"473827d4-2931-4d7d-82cb-31ede7ad2b43\", \"filename\": \"30_iou.csv\", \"mimetype\": \"text/csv\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(21,5,'artifacts:4c97730a-051a-4de5-a7e0-e818699975c0','"{\"artifact_id\": \"4c97730a-051a-4de5-a7e0-e818699975c0\", \"filename\": \"40_recipe.yaml\", \"mimetype\": \"text/plain\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(22,6,'artifacts:948c2b15-a06f-4eb1-b3d8-bb0010a78269','"{\"artifact_id\": \"948c2b15-a06f-4eb1-b3d8-bb0010a78269\", \"filename\": \"00_panel.png\", \"mimetype\": \"image/png\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(23,6,'artifacts:92ce741d-2e9b-4f35-840a-6290127ba4d0','"{\"artifact_id\": \"92ce741d-2e9b-4f35-840a-6290127ba4d0\", \"filename\": \"10_curves.png\", \"mimetype\": \"image/png\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(24,6,'artifacts:199d0d38-10de-49d9-9048-53003324a675','"{\"artifact_id\": \"199d0d38-10de-49d9-9048-53003324a675\", \"filename\": \"20_confusion.png\", \"mimetype\": \"image/png\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(25,6,'artifacts:40c3e922-572e-43e7-a4bd-6cba4c339ad5','"{\"artifact_id\": \"40c3e922-572e-43e7-a4bd-6cba4c339ad5\", \"filename\": \"30_iou.csv\", \"mimetype\": \"text/csv\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(26,6,'artifacts:b609cf29-a85b-490f-b80e-12212a721a88','"{\"artifact_id\": \"b609cf29-a85b-490f-b80e-12212a721a88\", \"filename\": \"40_recipe.yaml\", \"mimetype\": \"text/plain\", \"encoding\": null}"');
CREATE TABLE trial_user_attributes (
	trial_user_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_user_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_user_attributes" VALUES(1,1,'recipe','"model:\n  family: unet\n  depth: 2\n  filters: 4\n  growth: 1.0518583269433432\n  block: plain\n  kernel: 3\n  norm: instance\n  activation: leaky_relu\n  dropout: 0.4879201600963396\n  upsampling: nearest\nloss:\n  cross_entropy: null\n  dice: null\n  focal:\n    weight: 0.8775058589057969\n    gamma: 3.5977003760555655\n  ignore_excluded: false\nclass_weights:\n  scheme: inverse_frequency\n  smoothing: 0.06943280959271136\n  background: 0.9844753192589772\n  factors: {}\naugment:\n  flip_horizontal: true\n  flip_vertical: false\n  noise: 0.1466315916193097\n  blur: 0.433209647400532\noptimisation:\n  optimizer: sgd\n  lr: 0.006681196161635566\n  weight_decay: 0.0005658912878915781\n  momentum: 0.9\n  schedule: plateau\n  batch_size: 4\n  epochs: 3\n  patience: 30\ndata:\n  cleaning: mask\nseed: 7896617691693857887\n"');
INSERT INTO "trial_user_attributes" VALUES(2,1,'miou','0.1135074244751664');
INSERT INTO "trial_user_attributes" VALUES(3,1,'miou_strict','0.08826107049152998');
INSERT INTO "trial_user_attributes" VALUES(4,1,'accuracy','0.19091796875');
INSERT INTO "trial_user_attributes" VALUES(5,1,'iou_soil','0.2634920634920635');
INSERT INTO "trial_user_attributes" VALUES(6,1,'iou_bedrock','0.04');
INSERT INTO "trial_user_attributes" VALUES(7,1,'iou_sand','0.15053763440860216');
INSERT INTO "trial_user_attributes" VALUES(8,1,'iou_big rock','0.0');
INSERT INTO "trial_user_attributes" VALUES(9,1,'best_epoch','3');
INSERT INTO "trial_user_attributes" VALUES(10,1,'epochs','3');
INSERT INTO "trial_user_attributes" VALUES(11,1,'parameters','1765');
INSERT INTO "trial_user_attributes" VALUES(12,1,'training_seconds','32.889');
INSERT INTO "trial_user_attributes" VALUES(13,1,'normalisation','{"mean": [77.37315368652344], "std": [17.053104400634766]}');
INSERT INTO "trial_user_attributes" VALUES(14,1,'confusion','[[15, 142, 66, 501, 47], [27, 249, 71, 354, 47], [8, 98, 15, 139, 18], [3, 99, 26, 112, 11], [0, 0, 0, 0, 0]]');
INSERT INTO "trial_user_attributes" VALUES(15,2,'recipe','"model:\n  family: unet\n  depth: 2\n  filters: 4\n  growth: 1.0075305730675155\n  block: plain\n  kernel: 3\n  norm: none\n  activation: leaky_relu\n  dropout: 0.4834988693757976\n  upsampling: nearest\nloss:\n  cross_entropy:\n    weight: 0.1608096514579886\n  dice:\n    weight: 0.3073646646782668\n  focal:\n    weight: 0.9102068473678246\n    gamma: 2.531050336666647\n  ignore_excluded: false\nclass_weights:\n  scheme: none\n  smoothing: 0.19035713245170494\n  background: 0.035232584306625236\n  factors: {}\naugment:\n  flip_horizontal: false\n  flip_vertical: false\n  noise: 0.21586422776054265\n  blur: 0.43520513089055196\noptimisation:\n  optimizer: sgd\n  lr: 0.0013988231005410382\n  weight_decay: 1.344574197872087e-05\n  momentum: 0.9\n  schedule: cosine\n  batch_size: 8\n  epochs: 3\n  patience: 30\ndata:\n  cleaning: mask\nseed: 2918264622725855778\n"');
INSERT INTO "trial_user_attributes" VALUES(16,2,'miou','0.08830928414406375');
INSERT INTO "trial_user_attributes" VALUES(17,2,'miou_strict','0.0677285023937665');
INSERT INTO "trial_user_attributes" VALUES(18,2,'accuracy','0.1396484375');
INSERT INTO "trial_user_attributes" VALUES(19,2,'iou_soil','0.0845771144278607');
INSERT INTO "trial_user_attributes" VALUES(20,2,'iou_bedrock','0.18294573643410852');
INSERT INTO "trial_user_attributes" VALUES(21,2,'iou_sand','0.08571428571428572');
INSERT INTO "trial_user_attributes" VALUES(22,2,'iou_big rock','0.0');
INSERT INTO "trial_user_attributes" VALUES(23,2,'best_epoch','3');
INSERT INTO "trial_user_attributes" VALUES(24,2,'epochs','3');
INSERT INTO "trial_user_attributes" VALUES(25,2,'parameters','1725');
INSERT INTO "trial_user_attributes" VALUES(26,2,'training_seconds','30.178');
INSERT INTO "trial_user_attributes" VALUES(27,2,'normalisation','{"mean": [77.37315368652344], "std": [17.053104400634766]}');
INSERT INTO "trial_user_attributes" VALUES(28,2,'confusion','[[46, 58, 176, 488, 3], [119, 68, 253, 303, 5], [48, 36, 118, 76, 0], [60, 20, 114, 54, 3], [0, 0, 0, 0, 0]]');
INSERT INTO "trial_user_attributes" VALUES(29,3,'recipe','"model:\n  family: unet\n  depth: 2\n  filters: 5\n  growth: 1.4934771083690865\n  block: plain\n  kernel: 3\n  norm: group\n  activation: relu\n  dropout: 0.27423526741260473\n  upsampling: nearest\nloss:\n  cross_entropy: null\n  dice:\n    weight: 0.7818142383186947\n  focal:\n    weight: 0.8120112652332225\n    gamma: 2.685232720564935\n  ignore_excluded: true\nclass_weights:\n  scheme: none\n  smoothing: 0.6657749790770445\n  background: 0.5006105905386312\n  factors: {}\naugment:\n  flip_horizontal: false\n  flip_vertical: true\n  noise: 0.11734060459622687\n  blur: 1.4299849977091403\noptimisation:\n  optimizer: adamw\n  lr: 6.256390825426927e-05\n  weight_decay: 2.666265741896404e-05\n  momentum: 0.9\n  schedule: one_cycle\n  batch_size: 8\n  epochs: 3\n  patience: 30\ndata:\n  cleaning: mask\nseed: 8597659618385908031\n"');
INSERT INTO "trial_user_attributes" VALUES(30,3,'miou','0.042088537583026324');
INSERT INTO "trial_user_attributes" VALUES(31,3,'miou_strict','0.031202148175966605');
INSERT INTO "trial_user_attributes" VALUES(32,3,'accuracy','0.2197265625');
INSERT INTO "trial_user_attributes" VALUES(33,3,'iou_soil','0.02610966057441253');
INSERT INTO "trial_user_attributes" VALUES(34,3,'iou_bedrock','0.017241379310344827');
INSERT INTO "trial_user_attributes" VALUES(35,3,'iou_sand','0.0829145728643216');
INSERT INTO "trial_user_attributes" VALUES(36,3,'best_epoch','1');
INSERT INTO "trial_user_attributes" VALUES(37,3,'epochs','1');
INSERT INTO "trial_user_attributes" VALUES(38,3,'parameters','5100');
INSERT INTO "trial_user_attributes" VALUES(39,3,'training_seconds','16.11');
INSERT INTO "trial_user_attributes" VALUES(40,3,'reason','"pruned at epoch 1: 0.0421 at its rung"');
INSERT INTO "trial_user_attributes" VALUES(41,4,'recipe','"model:\n  family: unet\n  depth: 2\n  filters: 6\n  growth: 1.1818382878701752\n  block: residual\n  kernel: 3\n  norm: batch\n  activation: elu\n  dropout: 0.05664927643415771\n  upsampling: nearest\nloss:\n  cross_entropy:\n    weight: 0.12854570140092536\n  dice: null\n  focal:\n    weight: 0.27622504730129943\n    gamma: 1.616490389299082\n  ignore_excluded: true\nclass_weights:\n  scheme: none\n  smoothing: 0.5384743425197691\n  background: 0.2903616055869481\n  factors: {}\naugment:\n  flip_horizontal: true\n  flip_vertical: true\n  noise: 0.10557196379241021\n  blur: 0.06686133319133136\noptimisation:\n  optimizer: sgd\n  lr: 0.009352615505287409\n  weight_decay: 0.080597950740777\n  momentum: 0.9\n  schedule: one_cycle\n  batch_size: 4\n  epochs: 3\n  patience: 30\ndata:\n  cleaning: mask\nseed: 3291213472928352369\n"');
INSERT INTO "trial_user_attributes" VALUES(42,4,'miou','0.09027429178029694');
INSERT INTO "trial_user_attributes" VALUES(43,4,'miou_strict','0.06488451030554282');
INSERT INTO "trial_user_attributes" VALUES(44,4,'accuracy','0.14794921875');
INSERT INTO "trial_user_attributes" VALUES(45,4,'iou_soil','0.03524804177545692');
INSERT INTO "trial_user_attributes" VALUES(46,4,'iou_bedrock','0.21662125340599456');
INSERT INTO "trial_user_attributes" VALUES(47,4,'iou_sand','0.10922787193973635');
INSERT INTO "trial_user_attributes" VALUES(48,4,'iou_big rock','0.0');
INSERT INTO "trial_user_attributes" VALUES(49,4,'best_epoch','2');
INSERT INTO "trial_user_attributes" VALUES(50,4,'epochs','3');
INSERT INTO "trial_user_attributes" VALUES(51,4,'parameters','5196');
INSERT INTO "trial_user_attributes" VALUES(52,4,'training_seconds','33.345');
INSERT INTO "trial_user_attributes" VALUES(53,4,'normalisation','{"mean": [77.37315368652344], "std": [17.053104400634766]}');
INSERT INTO "trial_user_attributes" VALUES(54,4,'confusion','[[59, 19, 294, 292, 107], [91, 27, 329, 237, 64], [58, 8, 159, 43, 10], [33, 10, 127, 58, 23], [0, 0, 0, 0, 0]]');
INSERT INTO "trial_user_attributes" VALUES(55,5,'recipe','"model:\n  family: unet\n  depth: 2\n  filters: 4\n  growth: 1.1118075007369974\n  block: residual\n  kernel: 3\n  norm: none\n  activation: silu\n  dropout: 0.3938499365537648\n  upsampling: nearest\nloss:\n  cross_entropy:\n    weight: 0.20414011993710918\n  dice:\n    weight: 0.6711574037069037\n  focal:\n    weight: 0.34064294874971957\n    gamma: 4.310371646747153\n  ignore_excluded: true\nclass_weights:\n  scheme: none\n  smoothing: 0.1403571758107538\n  background: 0.9145460451960685\n  factors: {}\naugment:\n  flip_horizontal: false\n  flip_vertical: true\n  noise: 0.16337451105492265\n  blur: 0.11130366035329103\noptimisation:\n  optimizer: adamw\n  lr: 0.0636583878870628\n  weight_decay: 2.789128485294262e-06\n  momentum: 0.9\n  schedule: none\n  batch_size: 4\n  epochs: 3\n  patience: 30\ndata:\n  cleaning: mask\nseed: 2494635221133837528\n"');
INSERT INTO "trial_user_attributes" VALUES(56,5,'miou','0.2602253395928525');
INSERT INTO "trial_user_attributes" VALUES(57,5,'miou_strict','0.17829908783890414');
INSERT INTO "trial_user_attributes" VALUES(58,5,'accuracy','0.3720703125');
INSERT INTO "trial_user_attributes" VALUES(59,5,'iou_soil','0.5899403239556692');
INSERT INTO "trial_user_attributes" VALUES(60,5,'iou_bedrock','0.1907356948228883');
INSERT INTO "trial_user_attributes" VALUES(61,5,'iou_sand','0.0');
INSERT INTO "trial_user_attributes" VALUES(62,5,'best_epoch','1');
INSERT INTO "trial_user_attributes" VALUES(63,5,'epochs','3');
INSERT INTO "trial_user_attributes" VALUES(64,5,'parameters','1953');
INSERT INTO "trial_user_attributes" VALUES(65,5,'training_seconds','3.161');
INSERT INTO "trial_user_attributes" VALUES(66,5,'normalisation','{"mean": [77.37315368652344], "std": [17.053104400634766]}');
INSERT INTO "trial_user_attributes" VALUES(67,5,'confusion','[[0, 617, 105, 49, 0], [0, 692, 55, 1, 0], [0, 208, 70, 0, 0], [0, 217, 34, 0, 0], [0, 0, 0, 0, 0]]');
INSERT INTO "trial_user_attributes" VALUES(68,6,'recipe','"model:\n  family: unet\n  depth: 2\n  filters: 4\n  growth: 1.0852705020032278\n  block: plain\n  kernel: 3\n  norm: none\n  activation: leaky_relu\n  dropout: 0.2866124030921203\n  upsampling: nearest\nloss:\n  cross_entropy: null\n  dice: null\n  focal:\n    weight: 0.9469621229394081\n    gamma: 2.2864596873481577\n  ignore_excluded: false\nclass_weights:\n  scheme: inverse_frequency\n  smoothing: 0.07550422591422395\n  background: 0.09803984219213746\n  factors: {}\naugment:\n  flip_horizontal: true\n  flip_vertical: false\n  noise: 0.1230795711349864\n  blur: 0.7784774710878363\noptimisation:\n  optimizer: adamw\n  lr: 0.01845356236404948\n  weight_decay: 0.0041343250401410184\n  momentum: 0.9\n  schedule: plateau\n  batch_size: 4\n  epochs: 3\n  patience: 30\ndata:\n  cleaning: mask\nseed: 6102389744414414618\n"');
INSERT INTO "trial_user_attributes" VALUES(69,6,'miou','0.18497034535958623');
INSERT INTO "trial_user_attributes" VALUES(70,6,'miou_strict','0.12045707315323073');
INSERT INTO "trial_user_attributes" VALUES(71,6,'accuracy','0.31591796875');
INSERT INTO "trial_user_attributes" VALUES(72,6,'iou_soil','0.5130505709624796');
INSERT INTO "trial_user_attributes" VALUES(73,6,'iou_bedrock','0.04186046511627907');
INSERT INTO "trial_user_attributes" VALUES(74,6,'iou_sand','0.0');
INSERT INTO "trial_user_attributes" VALUES(75,6,'best_epoch','2');
INSERT INTO "trial_user_attributes" VALUES(76,6,'epochs','3');
INSERT INTO "trial_user_attributes" VALUES(77,6,'parameters','1848');
INSERT INTO "trial_user_attributes" VALUES(78,6,'training_seconds','21.563');
INSERT INTO "trial_user_attributes" VALUES(79,6,'normalisation','{"mean": [77.37315368652344], "std": [17.053104400634766]}');
INSERT INTO "trial_user_attributes" VALUES(80,6,'confusion','[[0, 712, 59, 0, 0], [0, 629, 119, 0, 0], [0, 260, 18, 0, 0], [0, 218, 33, 0, 0], [0, 0, 0, 0, 0]]');
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
INSERT INTO "trial_values" VALUES(1,1,0,1.13507424475166401878e-01,'FINITE');
INSERT INTO "trial_values" VALUES(2,2,0,8.83092841440637488226e-02,'FINITE');
INSERT INTO "trial_values" VALUES(3,3,0,4.20885375830263239183e-02,'FINITE');
INSERT INTO "trial_values" VALUES(4,4,0,9.02742917802969446761e-02,'FINITE');
INSERT INTO "trial_values" VALUES(5,5,0,2.60225339592852489278e-01,'FINITE');
INSERT INTO "trial_values" VALUES(6,6,0,1.84970345359586230138e-01,'FINITE');
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
INSERT INTO "trials" VALUES(1,0,1,'COMPLETE','2026-11-21 04:57:28.576767','2026-11-21 04:58:40.705642');
INSERT INTO "trials" VALUES(2,1,1,'COMPLETE','2026-11-21 04:58:21.589476','2026-11-21 04:59:04.841543');
INSERT INTO "trials" VALUES(3,2,1,'PRUNED','2026-11-21 04:58:54.160679','2026-11-21 04:59:18.218453');
INSERT INTO "trials" VALUES(4,3,1,'COMPLETE','2026-11-21 04:59:18.182418','2026-11-21 04:59:53.308605');
INSERT INTO "trials" VALUES(5,4,1,'COMPLETE','2026-11-21 04:59:52.078099','2026-11-21 05:00:00.190041');
INSERT INTO "trials" VALUES(6,5,1,'COMPLETE','2026-11-21 04:59:56.124591','2026-11-21 05:00:21.601104');
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
CREATE INDEX ix_marsearch_runs_study_id_trial ON marsearch_runs (study_id, trial);
CREATE INDEX ix_marsearch_workers_study_id_state ON marsearch_workers (study_id, state);
COMMIT;
