CREATE TYPE public.studydirection AS ENUM (
    'NOT_SET',
    'MINIMIZE',
    'MAXIMIZE'
);
CREATE TYPE public.trialintermediatevaluetype AS ENUM (
    'FINITE',
    'INF_POS',
    'INF_NEG',
    'NAN'
);
CREATE TYPE public.trialstate AS ENUM (
    'RUNNING',
    'COMPLETE',
    'PRUNED',
    'FAIL',
    'WAITING'
);
CREATE TYPE public.trialvaluetype AS ENUM (
    'FINITE',
    'INF_POS',
    'INF_NEG'
);
CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.marsearch_datasets (
    digest character varying(128) NOT NULL,
    path_hint text NOT NULL,
    samples integer NOT NULL,
    tests integer NOT NULL,
    height integer NOT NULL,
    width integer NOT NULL,
    channels integer NOT NULL,
    class_names json NOT NULL,
    class_shares json NOT NULL,
    artifact_id character varying(255) NOT NULL,
    created timestamp with time zone NOT NULL
);
CREATE TABLE public.marsearch_epochs (
    run_id integer NOT NULL,
    number integer NOT NULL,
    train_loss double precision,
    validation_loss double precision,
    miou double precision,
    miou_strict double precision,
    iou json NOT NULL,
    lr double precision,
    seconds double precision,
    memory_mb double precision,
    recorded timestamp with time zone NOT NULL
);
CREATE TABLE public.marsearch_plans (
    study_id integer NOT NULL,
    study character varying(512) NOT NULL,
    data_digest character varying(128) NOT NULL,
    space_digest character varying(128) NOT NULL,
    space text NOT NULL,
    facts text NOT NULL,
    sampler character varying(64) NOT NULL,
    pruner character varying(64) NOT NULL,
    objective character varying(64) NOT NULL,
    trials integer NOT NULL,
    epochs integer NOT NULL,
    warm_start text NOT NULL,
    holdout double precision NOT NULL,
    keep integer NOT NULL,
    seed bigint NOT NULL,
    split text NOT NULL,
    created timestamp with time zone NOT NULL
);
CREATE TABLE public.marsearch_runs (
    id integer NOT NULL,
    study_id integer NOT NULL,
    trial integer NOT NULL,
    worker character varying(64) NOT NULL,
    device character varying(64) NOT NULL,
    state character varying(32) NOT NULL,
    reason text NOT NULL,
    value double precision,
    parameters bigint NOT NULL,
    weights_artifact character varying(255) NOT NULL,
    started timestamp with time zone NOT NULL,
    finished timestamp with time zone
);
CREATE SEQUENCE public.marsearch_runs_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.marsearch_runs_id_seq OWNED BY public.marsearch_runs.id;
CREATE TABLE public.marsearch_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.marsearch_workers (
    id character varying(64) NOT NULL,
    study_id integer NOT NULL,
    host character varying(255) NOT NULL,
    pid integer NOT NULL,
    device character varying(64) NOT NULL,
    slots integer NOT NULL,
    started timestamp with time zone NOT NULL,
    beat timestamp with time zone NOT NULL,
    state character varying(32) NOT NULL,
    trials text NOT NULL
);
CREATE TABLE public.studies (
    study_id integer NOT NULL,
    study_name character varying(512) NOT NULL
);
CREATE SEQUENCE public.studies_study_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.studies_study_id_seq OWNED BY public.studies.study_id;
CREATE TABLE public.study_directions (
    study_direction_id integer NOT NULL,
    direction public.studydirection NOT NULL,
    study_id integer NOT NULL,
    objective integer NOT NULL
);
CREATE SEQUENCE public.study_directions_study_direction_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.study_directions_study_direction_id_seq OWNED BY public.study_directions.study_direction_id;
CREATE TABLE public.study_system_attributes (
    study_system_attribute_id integer NOT NULL,
    study_id integer,
    key character varying(512),
    value_json text
);
CREATE SEQUENCE public.study_system_attributes_study_system_attribute_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.study_system_attributes_study_system_attribute_id_seq OWNED BY public.study_system_attributes.study_system_attribute_id;
CREATE TABLE public.study_user_attributes (
    study_user_attribute_id integer NOT NULL,
    study_id integer,
    key character varying(512),
    value_json text
);
CREATE SEQUENCE public.study_user_attributes_study_user_attribute_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.study_user_attributes_study_user_attribute_id_seq OWNED BY public.study_user_attributes.study_user_attribute_id;
CREATE TABLE public.trial_heartbeats (
    trial_heartbeat_id integer NOT NULL,
    trial_id integer NOT NULL,
    heartbeat timestamp without time zone NOT NULL
);
CREATE SEQUENCE public.trial_heartbeats_trial_heartbeat_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.trial_heartbeats_trial_heartbeat_id_seq OWNED BY public.trial_heartbeats.trial_heartbeat_id;
CREATE TABLE public.trial_intermediate_values (
    trial_intermediate_value_id integer NOT NULL,
    trial_id integer NOT NULL,
    step integer NOT NULL,
    intermediate_value double precision,
    intermediate_value_type public.trialintermediatevaluetype NOT NULL
);
CREATE SEQUENCE public.trial_intermediate_values_trial_intermediate_value_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.trial_intermediate_values_trial_intermediate_value_id_seq OWNED BY public.trial_intermediate_values.trial_intermediate_value_id;
CREATE TABLE public.trial_params (
    param_id integer NOT NULL,
    trial_id integer,
    param_name character varying(512),
    param_value double precision,
    distribution_json text
);
CREATE SEQUENCE public.trial_params_param_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.trial_params_param_id_seq OWNED BY public.trial_params.param_id;
CREATE TABLE public.trial_system_attributes (
    trial_system_attribute_id integer NOT NULL,
    trial_id integer,
    key character varying(512),
    value_json text
);
CREATE SEQUENCE public.trial_system_attributes_trial_system_attribute_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.trial_system_attributes_trial_system_attribute_id_seq OWNED BY public.trial_system_attributes.trial_system_attribute_id;
CREATE TABLE public.trial_user_attributes (
    trial_user_attribute_id integer NOT NULL,
    trial_id integer,
    key character varying(512),
    value_json text
);
CREATE SEQUENCE public.trial_user_attributes_trial_user_attribute_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.trial_user_attributes_trial_user_attribute_id_seq OWNED BY public.trial_user_attributes.trial_user_attribute_id;
CREATE TABLE public.trial_values (
    trial_value_id integer NOT NULL,
    trial_id integer NOT NULL,
    objective integer NOT NULL,
    value double precision,
    value_type public.trialvaluetype NOT NULL
);
CREATE SEQUENCE public.trial_values_trial_value_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.trial_values_trial_value_id_seq OWNED BY public.trial_values.trial_value_id;
CREATE TABLE public.trials (
    trial_id integer NOT NULL,
    number integer,
    study_id integer,
    state public.trialstate NOT NULL,
    datetime_start timestamp without time zone,
    datetime_complete timestamp without time zone
);
CREATE SEQUENCE public.trials_trial_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.trials_trial_id_seq OWNED BY public.trials.trial_id;
CREATE TABLE public.version_info (
    version_info_id integer NOT NULL,
    schema_version integer,
    library_version character varying(256),
    CONSTRAINT version_info_version_info_id_check CHECK ((version_info_id = 1))
);
ALTER TABLE ONLY public.marsearch_runs ALTER COLUMN id SET DEFAULT nextval('public.marsearch_runs_id_seq'::regclass);
ALTER TABLE ONLY public.studies ALTER COLUMN study_id SET DEFAULT nextval('public.studies_study_id_seq'::regclass);
ALTER TABLE ONLY public.study_directions ALTER COLUMN study_direction_id SET DEFAULT nextval('public.study_directions_study_direction_id_seq'::regclass);
ALTER TABLE ONLY public.study_system_attributes ALTER COLUMN study_system_attribute_id SET DEFAULT nextval('public.study_system_attributes_study_system_attribute_id_seq'::regclass);
ALTER TABLE ONLY public.study_user_attributes ALTER COLUMN study_user_attribute_id SET DEFAULT nextval('public.study_user_attributes_study_user_attribute_id_seq'::regclass);
ALTER TABLE ONLY public.trial_heartbeats ALTER COLUMN trial_heartbeat_id SET DEFAULT nextval('public.trial_heartbeats_trial_heartbeat_id_seq'::regclass);
ALTER TABLE ONLY public.trial_intermediate_values ALTER COLUMN trial_intermediate_value_id SET DEFAULT nextval('public.trial_intermediate_values_trial_intermediate_value_id_seq'::regclass);
ALTER TABLE ONLY public.trial_params ALTER COLUMN param_id SET DEFAULT nextval('public.trial_params_param_id_seq'::regclass);
ALTER TABLE ONLY public.trial_system_attributes ALTER COLUMN trial_system_attribute_id SET DEFAULT nextval('public.trial_system_attributes_trial_system_attribute_id_seq'::regclass);
ALTER TABLE ONLY public.trial_user_attributes ALTER COLUMN trial_user_attribute_id SET DEFAULT nextval('public.trial_user_attributes_trial_user_attribute_id_seq'::regclass);
ALTER TABLE ONLY public.trial_values ALTER COLUMN trial_value_id SET DEFAULT nextval('public.trial_values_trial_value_id_seq'::regclass);
ALTER TABLE ONLY public.trials ALTER COLUMN trial_id SET DEFAULT nextval('public.trials_trial_id_seq'::regclass);
INSERT INTO public.alembic_version VALUES ('v3.2.0.a');
INSERT INTO public.marsearch_datasets VALUES ('324c7af1604d08a2fa18a5520e1a46e8a098ac14f68977915717443d3b371ea3', 'data.npz', 24, 2, 16, 32, 1, '["background", "soil", "bedrock", "sand", "big rock"]', '[0.2431640625, 0.3264973958333333, 0.2534993489583333, 0.17569986979166666, 0.0011393229166666667]', 'dataset-324c7af1604d08a2fa18a5520e1a46e8a098ac14f68977915717443d3b371ea3.npz', '2026-11-21 05:07:52.679661+00');
INSERT INTO public.marsearch_epochs VALUES (1, 1, 1.4886564016342163, 1.5370314121246338, 0.06224536681212399, 0.04590011377607693, '[null, 0.05562579013906448, 0.03343465045592705, 0.15992102665350444, 0.0]', 0.006681196161635566, 8.062397943001997, 341.00390625, '2026-11-21 05:09:50.774544+00');
INSERT INTO public.marsearch_epochs VALUES (1, 2, 1.3457711935043335, 1.3913730382919312, 0.08847382166046087, 0.06798560060275818, '[null, 0.1558139534883721, 0.030470914127423823, 0.16761041902604756, 0.0]', 0.006681196161635566, 1.3073425009970379, 341.75390625, '2026-11-21 05:09:52.050238+00');
INSERT INTO public.marsearch_epochs VALUES (1, 3, 1.120282456278801, 1.2041288614273071, 0.1135074244751664, 0.08826107049152998, '[null, 0.2634920634920635, 0.04, 0.15053763440860216, 0.0]', 0.006681196161635566, 1.0081687419988157, 341.75390625, '2026-11-21 05:09:53.070247+00');
INSERT INTO public.marsearch_epochs VALUES (2, 1, 3.2656357288360596, 1.0216917991638184, 0.08463628349251655, 0.05945291771448232, '[null, 0.0377113133940182, 0.20719424460431654, 0.09363957597173145, 0.0]', 0.0013051197205050458, 4.05129951300114, 347.109375, '2026-11-21 05:09:59.322114+00');
INSERT INTO public.marsearch_epochs VALUES (2, 2, 1.2608537673950195, 1.0008792877197266, 0.08684016563633759, 0.06535717404644963, '[null, 0.07259073842302878, 0.18731117824773413, 0.08745874587458746, 0.0]', 0.0006994115502705191, 1.977928250998957, 347.484375, '2026-11-21 05:10:01.309155+00');
INSERT INTO public.marsearch_epochs VALUES (2, 3, 1.4673879742622375, 0.9960639476776123, 0.08830928414406375, 0.0677285023937665, '[null, 0.0845771144278607, 0.18294573643410852, 0.08571428571428572, 0.0]', 9.370338003599254e-05, 0.5054180260012799, 347.609375, '2026-11-21 05:10:01.847763+00');
INSERT INTO public.marsearch_epochs VALUES (3, 1, 1.080749273300171, 1.0893242359161377, 0.042088537583026324, 0.031202148175966605, '[null, 0.02610966057441253, 0.017241379310344827, 0.0829145728643216, null]', 6.221451607018006e-05, 1.285106313000142, 353.6796875, '2026-11-21 05:10:04.12419+00');
INSERT INTO public.marsearch_epochs VALUES (3, 2, 1.0546088814735413, 1.088597297668457, 0.041806092544412365, 0.031082590916633845, '[null, 0.02741514360313316, 0.015296367112810707, 0.08270676691729323, null]', 2.894438524627758e-05, 0.6547428320009203, 354.4296875, '2026-11-21 05:10:04.771878+00');
INSERT INTO public.marsearch_epochs VALUES (3, 3, 1.0999313592910767, 1.0885350704193115, 0.04137093153483882, 0.03063227092099266, '[null, 0.02610966057441253, 0.015296367112810707, 0.08270676691729323, null]', 2.5025563301707707e-10, 0.4489652810007101, 354.4296875, '2026-11-21 05:10:05.222335+00');
INSERT INTO public.marsearch_epochs VALUES (4, 1, 2.3058260679244995, 1.9473282098770142, 0.08669049199491108, 0.0655893810918279, '[null, 0.021164021164021163, 0.2217453505007153, 0.10385259631490787, 0.0]', 0.009300385220295327, 1.9197757130023092, 359.30859375, '2026-11-21 05:10:08.022289+00');
INSERT INTO public.marsearch_epochs VALUES (4, 2, 1.8074856400489807, 1.4931222200393677, 0.09027429178029694, 0.06488451030554282, '[null, 0.03524804177545692, 0.21662125340599456, 0.10922787193973635, 0.0]', 0.004326866939724394, 0.4801862489985069, 360.30859375, '2026-11-21 05:10:08.529801+00');
INSERT INTO public.marsearch_epochs VALUES (4, 3, 1.7802785336971283, 1.504140019416809, 0.08504311854395538, 0.06017891782997914, '[null, 0.027131782945736434, 0.1829436038514443, 0.13009708737864079, 0.0]', 3.7410462021149636e-08, 0.811689923000813, 360.30859375, '2026-11-21 05:10:09.335415+00');
INSERT INTO public.marsearch_epochs VALUES (5, 1, 2.032835617661476, 0.6789740920066833, 0.2602253395928525, 0.17829908783890414, '[null, 0.5899403239556692, 0.1907356948228883, 0.0, null]', 0.0636583878870628, 2.731577840000682, 362.6171875, '2026-11-21 05:10:12.765749+00');
INSERT INTO public.marsearch_epochs VALUES (5, 2, 0.790620967745781, 0.7840160727500916, 0.08311839676735405, 0.05578527859705192, '[null, 0.031928480204342274, 0.21742671009771988, 0.0, null]', 0.0636583878870628, 2.1072486100019887, 363.1171875, '2026-11-21 05:10:14.910911+00');
INSERT INTO public.marsearch_epochs VALUES (5, 3, 0.7936893701553345, 0.7360634803771973, 0.07605358550039401, 0.048793620454435284, '[null, 0.010666666666666666, 0.21749408983451538, 0.0, null]', 0.0636583878870628, 2.1171465380029986, 363.1171875, '2026-11-21 05:10:17.018456+00');
INSERT INTO public.marsearch_epochs VALUES (6, 1, 1.4123766124248505, 0.7445911169052124, 0.15894291044926154, 0.1068386908210291, '[null, 0.43129139072847683, 0.04553734061930783, 0.0, null]', 0.01845356236404948, 4.384221016000083, 363.1171875, '2026-11-21 05:10:23.75076+00');
INSERT INTO public.marsearch_epochs VALUES (6, 2, 0.863289549946785, 0.6600689888000488, 0.18497034535958623, 0.12045707315323073, '[null, 0.5130505709624796, 0.04186046511627907, 0.0, null]', 0.01845356236404948, 0.465211910999642, 363.1171875, '2026-11-21 05:10:24.217984+00');
INSERT INTO public.marsearch_epochs VALUES (6, 3, 0.7546142190694809, 0.7150238752365112, 0.07256590968415558, 0.045247395833333336, '[null, 0.0, 0.21769772905246673, 0.0, null]', 0.01845356236404948, 0.47981544800131815, 363.1171875, '2026-11-21 05:10:24.70044+00');
INSERT INTO public.marsearch_plans VALUES (1, 'old', '324c7af1604d08a2fa18a5520e1a46e8a098ac14f68977915717443d3b371ea3', 'd663faceb9371caecc03f0e98696978e04155ad9e654f7032ae77d04a014d294', '# as narrow as a test can afford; everything else is searched as it was then
model: {depth: 2, filters: {low: 4, high: 6}, growth: {low: 1.0, high: 1.5}}
optimisation: {batch_size: [4, 8]}
', '{"channels":1,"height":16,"width":32,"class_names":["background","soil","bedrock","sand","big rock"],"excluded":["background"]}', 'tpe', 'median', 'miou', 9, 3, 'none', 0, 9, 0, '{"train": [0, 1, 2, 3, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20], "validation": [5, 21, 22, 23], "holdout": [], "method": "group", "seed": 0}', '2026-11-21 05:07:53.493189+00');
INSERT INTO public.marsearch_runs VALUES (1, 1, 0, '5a47def9d4bf', 'cpu', 'complete', '', 0.1135074244751664, 1765, 'weights-d663face-0-1.safetensors', '2026-11-21 05:09:27.271315+00', '2026-11-21 05:10:01.537632+00');
INSERT INTO public.marsearch_runs VALUES (2, 1, 1, '5a47def9d4bf', 'cpu', 'complete', '', 0.08830928414406375, 1725, 'weights-d663face-1-2.safetensors', '2026-11-21 05:09:55.191507+00', '2026-11-21 05:10:04.758425+00');
INSERT INTO public.marsearch_runs VALUES (3, 1, 2, '5a47def9d4bf', 'cpu', 'complete', '', 0.042088537583026324, 5100, 'weights-d663face-2-3.safetensors', '2026-11-21 05:10:02.762649+00', '2026-11-21 05:10:07.322805+00');
INSERT INTO public.marsearch_runs VALUES (4, 1, 3, '5a47def9d4bf', 'cpu', 'complete', '', 0.09027429178029694, 5196, 'weights-d663face-3-4.safetensors', '2026-11-21 05:10:06.037988+00', '2026-11-21 05:10:12.945165+00');
INSERT INTO public.marsearch_runs VALUES (5, 1, 4, '5a47def9d4bf', 'cpu', 'complete', '', 0.2602253395928525, 1953, 'weights-d663face-4-5.safetensors', '2026-11-21 05:10:09.99252+00', '2026-11-21 05:10:20.812561+00');
INSERT INTO public.marsearch_runs VALUES (6, 1, 5, '5a47def9d4bf', 'cpu', 'complete', '', 0.18497034535958623, 1848, 'weights-d663face-5-6.safetensors', '2026-11-21 05:10:19.260391+00', '2026-11-21 05:10:26.039073+00');
INSERT INTO public.marsearch_version VALUES ('0001');
INSERT INTO public.marsearch_workers VALUES ('5a47def9d4bf', 1, 'machine', 5880, 'cpu', 1, '2026-11-21 05:09:25.051418+00', '2026-11-21 05:10:26.363724+00', 'left', '');
INSERT INTO public.studies VALUES (1, 'old');
INSERT INTO public.study_directions VALUES (1, 'MAXIMIZE', 1, 0);
INSERT INTO public.study_system_attributes VALUES (1, 1, 'study:metric_names', '["val mIoU"]');
INSERT INTO public.study_user_attributes VALUES (1, 1, 'space_digest', '"d663faceb9371caecc03f0e98696978e04155ad9e654f7032ae77d04a014d294"');
INSERT INTO public.study_user_attributes VALUES (2, 1, 'data_digest', '"324c7af1604d08a2fa18a5520e1a46e8a098ac14f68977915717443d3b371ea3"');
INSERT INTO public.study_user_attributes VALUES (3, 1, 'sampler', '"tpe"');
INSERT INTO public.study_user_attributes VALUES (4, 1, 'pruner', '"median"');
INSERT INTO public.study_user_attributes VALUES (5, 1, 'objective', '"miou"');
INSERT INTO public.study_user_attributes VALUES (6, 1, 'trials', '9');
INSERT INTO public.study_user_attributes VALUES (7, 1, 'epochs', '3');
INSERT INTO public.study_user_attributes VALUES (8, 1, 'seed', '0');
INSERT INTO public.trial_heartbeats VALUES (2, 2, '2026-11-21 05:09:54.034817');
INSERT INTO public.trial_heartbeats VALUES (1, 1, '2026-11-21 05:09:56.03512');
INSERT INTO public.trial_heartbeats VALUES (3, 3, '2026-11-21 05:10:02.116843');
INSERT INTO public.trial_heartbeats VALUES (4, 4, '2026-11-21 05:10:05.453414');
INSERT INTO public.trial_heartbeats VALUES (5, 5, '2026-11-21 05:10:09.579828');
INSERT INTO public.trial_heartbeats VALUES (6, 6, '2026-11-21 05:10:17.562727');
INSERT INTO public.trial_intermediate_values VALUES (1, 1, 1, 0.06224536681212399, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (2, 1, 2, 0.08847382166046087, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (3, 1, 3, 0.1135074244751664, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (4, 2, 1, 0.08463628349251655, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (5, 2, 2, 0.08684016563633759, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (6, 2, 3, 0.08830928414406375, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (7, 3, 1, 0.042088537583026324, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (8, 3, 2, 0.042088537583026324, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (9, 3, 3, 0.042088537583026324, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (10, 4, 1, 0.08669049199491108, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (11, 4, 2, 0.09027429178029694, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (12, 4, 3, 0.09027429178029694, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (13, 5, 1, 0.2602253395928525, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (14, 5, 2, 0.2602253395928525, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (15, 5, 3, 0.2602253395928525, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (16, 6, 1, 0.15894291044926154, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (17, 6, 2, 0.18497034535958623, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (18, 6, 3, 0.18497034535958623, 'FINITE');
INSERT INTO public.trial_params VALUES (1, 1, 'model.filters', 4, '{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 4, "high": 6}}');
INSERT INTO public.trial_params VALUES (2, 1, 'model.growth', 1.0518583269433432, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 1.0, "high": 1.5, "log": false}}');
INSERT INTO public.trial_params VALUES (3, 1, 'model.block', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "residual"]}}');
INSERT INTO public.trial_params VALUES (4, 1, 'model.norm', 2, '{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "batch", "instance", "layer", "group"]}}');
INSERT INTO public.trial_params VALUES (5, 1, 'model.activation', 1, '{"name": "CategoricalDistribution", "attributes": {"choices": ["relu", "leaky_relu", "elu", "gelu", "silu"]}}');
INSERT INTO public.trial_params VALUES (6, 1, 'model.dropout', 0.4879201600963396, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.6, "log": false}}');
INSERT INTO public.trial_params VALUES (7, 1, 'model.upsampling', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": ["nearest", "bilinear", "transposed"]}}');
INSERT INTO public.trial_params VALUES (8, 1, 'loss.cross_entropy.use', 1, '{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO public.trial_params VALUES (9, 1, 'loss.dice.use', 1, '{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO public.trial_params VALUES (10, 1, 'loss.focal.weight', 0.8775058589057969, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.05, "high": 1.0, "log": false}}');
INSERT INTO public.trial_params VALUES (11, 1, 'loss.focal.gamma', 3.5977003760555655, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.5, "high": 5.0, "log": false}}');
INSERT INTO public.trial_params VALUES (12, 1, 'loss.ignore_excluded', 1, '{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO public.trial_params VALUES (13, 1, 'class_weights.scheme', 1, '{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "inverse_frequency"]}}');
INSERT INTO public.trial_params VALUES (14, 1, 'class_weights.smoothing', 0.06943280959271136, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO public.trial_params VALUES (15, 1, 'class_weights.background', 0.9844753192589772, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO public.trial_params VALUES (16, 1, 'augment.flip_horizontal', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO public.trial_params VALUES (17, 1, 'augment.flip_vertical', 1, '{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO public.trial_params VALUES (18, 1, 'augment.noise', 0.1466315916193097, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.3, "log": false}}');
INSERT INTO public.trial_params VALUES (19, 1, 'augment.blur', 0.433209647400532, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.5, "log": false}}');
INSERT INTO public.trial_params VALUES (20, 1, 'optimisation.optimizer', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": ["sgd", "adam", "adamw"]}}');
INSERT INTO public.trial_params VALUES (21, 1, 'optimisation.lr', 0.006681196161635566, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-05, "high": 0.1, "log": true}}');
INSERT INTO public.trial_params VALUES (22, 1, 'optimisation.weight_decay', 0.0005658912878915781, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-06, "high": 0.1, "log": true}}');
INSERT INTO public.trial_params VALUES (23, 1, 'optimisation.schedule', 1, '{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "plateau", "one_cycle", "cosine"]}}');
INSERT INTO public.trial_params VALUES (24, 1, 'optimisation.batch_size', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": [4, 8]}}');
INSERT INTO public.trial_params VALUES (25, 2, 'model.filters', 4, '{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 4, "high": 6}}');
INSERT INTO public.trial_params VALUES (26, 2, 'model.growth', 1.0075305730675155, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 1.0, "high": 1.5, "log": false}}');
INSERT INTO public.trial_params VALUES (27, 2, 'model.block', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "residual"]}}');
INSERT INTO public.trial_params VALUES (28, 2, 'model.norm', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "batch", "instance", "layer", "group"]}}');
INSERT INTO public.trial_params VALUES (29, 2, 'model.activation', 1, '{"name": "CategoricalDistribution", "attributes": {"choices": ["relu", "leaky_relu", "elu", "gelu", "silu"]}}');
INSERT INTO public.trial_params VALUES (30, 2, 'model.dropout', 0.4834988693757976, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.6, "log": false}}');
INSERT INTO public.trial_params VALUES (31, 2, 'model.upsampling', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": ["nearest", "bilinear", "transposed"]}}');
INSERT INTO public.trial_params VALUES (32, 2, 'loss.cross_entropy.use', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO public.trial_params VALUES (33, 2, 'loss.cross_entropy.weight', 0.1608096514579886, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.05, "high": 1.0, "log": false}}');
INSERT INTO public.trial_params VALUES (34, 2, 'loss.dice.use', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO public.trial_params VALUES (35, 2, 'loss.dice.weight', 0.3073646646782668, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.05, "high": 1.0, "log": false}}');
INSERT INTO public.trial_params VALUES (36, 2, 'loss.focal.use', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO public.trial_params VALUES (37, 2, 'loss.focal.weight', 0.9102068473678246, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.05, "high": 1.0, "log": false}}');
INSERT INTO public.trial_params VALUES (38, 2, 'loss.focal.gamma', 2.531050336666647, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.5, "high": 5.0, "log": false}}');
INSERT INTO public.trial_params VALUES (39, 2, 'loss.ignore_excluded', 1, '{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO public.trial_params VALUES (40, 2, 'class_weights.scheme', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "inverse_frequency"]}}');
INSERT INTO public.trial_params VALUES (41, 2, 'class_weights.smoothing', 0.19035713245170494, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO public.trial_params VALUES (42, 2, 'class_weights.background', 0.035232584306625236, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO public.trial_params VALUES (43, 2, 'augment.flip_horizontal', 1, '{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO public.trial_params VALUES (44, 2, 'augment.flip_vertical', 1, '{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO public.trial_params VALUES (45, 2, 'augment.noise', 0.21586422776054265, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.3, "log": false}}');
INSERT INTO public.trial_params VALUES (46, 2, 'augment.blur', 0.43520513089055196, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.5, "log": false}}');
INSERT INTO public.trial_params VALUES (47, 2, 'optimisation.optimizer', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": ["sgd", "adam", "adamw"]}}');
INSERT INTO public.trial_params VALUES (48, 2, 'optimisation.lr', 0.0013988231005410382, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-05, "high": 0.1, "log": true}}');
INSERT INTO public.trial_params VALUES (49, 2, 'optimisation.weight_decay', 1.344574197872087e-05, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-06, "high": 0.1, "log": true}}');
INSERT INTO public.trial_params VALUES (50, 2, 'optimisation.schedule', 3, '{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "plateau", "one_cycle", "cosine"]}}');
INSERT INTO public.trial_params VALUES (51, 2, 'optimisation.batch_size', 1, '{"name": "CategoricalDistribution", "attributes": {"choices": [4, 8]}}');
INSERT INTO public.trial_params VALUES (53, 3, 'model.growth', 1.4934771083690865, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 1.0, "high": 1.5, "log": false}}');
INSERT INTO public.trial_params VALUES (57, 3, 'model.dropout', 0.27423526741260473, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.6, "log": false}}');
INSERT INTO public.trial_params VALUES (62, 3, 'loss.focal.use', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO public.trial_params VALUES (65, 3, 'loss.ignore_excluded', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO public.trial_params VALUES (68, 3, 'class_weights.background', 0.5006105905386312, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO public.trial_params VALUES (71, 3, 'augment.noise', 0.11734060459622687, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.3, "log": false}}');
INSERT INTO public.trial_params VALUES (74, 3, 'optimisation.lr', 6.256390825426927e-05, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-05, "high": 0.1, "log": true}}');
INSERT INTO public.trial_params VALUES (77, 3, 'optimisation.batch_size', 1, '{"name": "CategoricalDistribution", "attributes": {"choices": [4, 8]}}');
INSERT INTO public.trial_params VALUES (78, 4, 'model.filters', 6, '{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 4, "high": 6}}');
INSERT INTO public.trial_params VALUES (81, 4, 'model.norm', 1, '{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "batch", "instance", "layer", "group"]}}');
INSERT INTO public.trial_params VALUES (84, 4, 'model.upsampling', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": ["nearest", "bilinear", "transposed"]}}');
INSERT INTO public.trial_params VALUES (87, 4, 'loss.dice.use', 1, '{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO public.trial_params VALUES (90, 4, 'loss.focal.gamma', 1.616490389299082, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.5, "high": 5.0, "log": false}}');
INSERT INTO public.trial_params VALUES (93, 4, 'class_weights.smoothing', 0.5384743425197691, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO public.trial_params VALUES (96, 4, 'augment.flip_vertical', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO public.trial_params VALUES (99, 4, 'optimisation.optimizer', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": ["sgd", "adam", "adamw"]}}');
INSERT INTO public.trial_params VALUES (102, 4, 'optimisation.schedule', 2, '{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "plateau", "one_cycle", "cosine"]}}');
INSERT INTO public.trial_params VALUES (105, 5, 'model.growth', 1.1118075007369974, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 1.0, "high": 1.5, "log": false}}');
INSERT INTO public.trial_params VALUES (109, 5, 'model.dropout', 0.3938499365537648, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.6, "log": false}}');
INSERT INTO public.trial_params VALUES (114, 5, 'loss.dice.weight', 0.6711574037069037, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.05, "high": 1.0, "log": false}}');
INSERT INTO public.trial_params VALUES (117, 5, 'loss.focal.gamma', 4.310371646747153, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.5, "high": 5.0, "log": false}}');
INSERT INTO public.trial_params VALUES (120, 5, 'class_weights.smoothing', 0.1403571758107538, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO public.trial_params VALUES (123, 5, 'augment.flip_vertical', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO public.trial_params VALUES (126, 5, 'optimisation.optimizer', 2, '{"name": "CategoricalDistribution", "attributes": {"choices": ["sgd", "adam", "adamw"]}}');
INSERT INTO public.trial_params VALUES (129, 5, 'optimisation.schedule', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "plateau", "one_cycle", "cosine"]}}');
INSERT INTO public.trial_params VALUES (132, 6, 'model.growth', 1.0852705020032278, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 1.0, "high": 1.5, "log": false}}');
INSERT INTO public.trial_params VALUES (135, 6, 'model.activation', 1, '{"name": "CategoricalDistribution", "attributes": {"choices": ["relu", "leaky_relu", "elu", "gelu", "silu"]}}');
INSERT INTO public.trial_params VALUES (138, 6, 'loss.cross_entropy.use', 1, '{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO public.trial_params VALUES (141, 6, 'loss.focal.gamma', 2.2864596873481577, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.5, "high": 5.0, "log": false}}');
INSERT INTO public.trial_params VALUES (144, 6, 'class_weights.smoothing', 0.07550422591422395, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO public.trial_params VALUES (146, 6, 'augment.flip_horizontal', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO public.trial_params VALUES (149, 6, 'augment.blur', 0.7784774710878363, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.5, "log": false}}');
INSERT INTO public.trial_params VALUES (152, 6, 'optimisation.weight_decay', 0.0041343250401410184, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-06, "high": 0.1, "log": true}}');
INSERT INTO public.trial_params VALUES (52, 3, 'model.filters', 5, '{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 4, "high": 6}}');
INSERT INTO public.trial_params VALUES (54, 3, 'model.block', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "residual"]}}');
INSERT INTO public.trial_params VALUES (56, 3, 'model.activation', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": ["relu", "leaky_relu", "elu", "gelu", "silu"]}}');
INSERT INTO public.trial_params VALUES (59, 3, 'loss.cross_entropy.use', 1, '{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO public.trial_params VALUES (61, 3, 'loss.dice.weight', 0.7818142383186947, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.05, "high": 1.0, "log": false}}');
INSERT INTO public.trial_params VALUES (64, 3, 'loss.focal.gamma', 2.685232720564935, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.5, "high": 5.0, "log": false}}');
INSERT INTO public.trial_params VALUES (67, 3, 'class_weights.smoothing', 0.6657749790770445, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO public.trial_params VALUES (70, 3, 'augment.flip_vertical', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO public.trial_params VALUES (73, 3, 'optimisation.optimizer', 2, '{"name": "CategoricalDistribution", "attributes": {"choices": ["sgd", "adam", "adamw"]}}');
INSERT INTO public.trial_params VALUES (76, 3, 'optimisation.schedule', 2, '{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "plateau", "one_cycle", "cosine"]}}');
INSERT INTO public.trial_params VALUES (79, 4, 'model.growth', 1.1818382878701752, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 1.0, "high": 1.5, "log": false}}');
INSERT INTO public.trial_params VALUES (82, 4, 'model.activation', 2, '{"name": "CategoricalDistribution", "attributes": {"choices": ["relu", "leaky_relu", "elu", "gelu", "silu"]}}');
INSERT INTO public.trial_params VALUES (85, 4, 'loss.cross_entropy.use', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO public.trial_params VALUES (88, 4, 'loss.focal.use', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO public.trial_params VALUES (91, 4, 'loss.ignore_excluded', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO public.trial_params VALUES (94, 4, 'class_weights.background', 0.2903616055869481, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO public.trial_params VALUES (97, 4, 'augment.noise', 0.10557196379241021, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.3, "log": false}}');
INSERT INTO public.trial_params VALUES (100, 4, 'optimisation.lr', 0.009352615505287409, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-05, "high": 0.1, "log": true}}');
INSERT INTO public.trial_params VALUES (103, 4, 'optimisation.batch_size', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": [4, 8]}}');
INSERT INTO public.trial_params VALUES (107, 5, 'model.norm', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "batch", "instance", "layer", "group"]}}');
INSERT INTO public.trial_params VALUES (110, 5, 'model.upsampling', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": ["nearest", "bilinear", "transposed"]}}');
INSERT INTO public.trial_params VALUES (112, 5, 'loss.cross_entropy.weight', 0.20414011993710918, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.05, "high": 1.0, "log": false}}');
INSERT INTO public.trial_params VALUES (115, 5, 'loss.focal.use', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO public.trial_params VALUES (118, 5, 'loss.ignore_excluded', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO public.trial_params VALUES (121, 5, 'class_weights.background', 0.9145460451960685, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO public.trial_params VALUES (124, 5, 'augment.noise', 0.16337451105492265, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.3, "log": false}}');
INSERT INTO public.trial_params VALUES (127, 5, 'optimisation.lr', 0.0636583878870628, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-05, "high": 0.1, "log": true}}');
INSERT INTO public.trial_params VALUES (130, 5, 'optimisation.batch_size', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": [4, 8]}}');
INSERT INTO public.trial_params VALUES (131, 6, 'model.filters', 4, '{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 4, "high": 6}}');
INSERT INTO public.trial_params VALUES (134, 6, 'model.norm', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "batch", "instance", "layer", "group"]}}');
INSERT INTO public.trial_params VALUES (137, 6, 'model.upsampling', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": ["nearest", "bilinear", "transposed"]}}');
INSERT INTO public.trial_params VALUES (140, 6, 'loss.focal.weight', 0.9469621229394081, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.05, "high": 1.0, "log": false}}');
INSERT INTO public.trial_params VALUES (143, 6, 'class_weights.scheme', 1, '{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "inverse_frequency"]}}');
INSERT INTO public.trial_params VALUES (145, 6, 'class_weights.background', 0.09803984219213746, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO public.trial_params VALUES (148, 6, 'augment.noise', 0.1230795711349864, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.3, "log": false}}');
INSERT INTO public.trial_params VALUES (151, 6, 'optimisation.lr', 0.01845356236404948, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-05, "high": 0.1, "log": true}}');
INSERT INTO public.trial_params VALUES (154, 6, 'optimisation.batch_size', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": [4, 8]}}');
INSERT INTO public.trial_params VALUES (55, 3, 'model.norm', 4, '{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "batch", "instance", "layer", "group"]}}');
INSERT INTO public.trial_params VALUES (58, 3, 'model.upsampling', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": ["nearest", "bilinear", "transposed"]}}');
INSERT INTO public.trial_params VALUES (60, 3, 'loss.dice.use', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO public.trial_params VALUES (63, 3, 'loss.focal.weight', 0.8120112652332225, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.05, "high": 1.0, "log": false}}');
INSERT INTO public.trial_params VALUES (66, 3, 'class_weights.scheme', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "inverse_frequency"]}}');
INSERT INTO public.trial_params VALUES (69, 3, 'augment.flip_horizontal', 1, '{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO public.trial_params VALUES (72, 3, 'augment.blur', 1.4299849977091403, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.5, "log": false}}');
INSERT INTO public.trial_params VALUES (75, 3, 'optimisation.weight_decay', 2.666265741896404e-05, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-06, "high": 0.1, "log": true}}');
INSERT INTO public.trial_params VALUES (80, 4, 'model.block', 1, '{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "residual"]}}');
INSERT INTO public.trial_params VALUES (83, 4, 'model.dropout', 0.05664927643415771, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.6, "log": false}}');
INSERT INTO public.trial_params VALUES (86, 4, 'loss.cross_entropy.weight', 0.12854570140092536, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.05, "high": 1.0, "log": false}}');
INSERT INTO public.trial_params VALUES (89, 4, 'loss.focal.weight', 0.27622504730129943, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.05, "high": 1.0, "log": false}}');
INSERT INTO public.trial_params VALUES (92, 4, 'class_weights.scheme', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "inverse_frequency"]}}');
INSERT INTO public.trial_params VALUES (95, 4, 'augment.flip_horizontal', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO public.trial_params VALUES (98, 4, 'augment.blur', 0.06686133319133136, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.5, "log": false}}');
INSERT INTO public.trial_params VALUES (101, 4, 'optimisation.weight_decay', 0.080597950740777, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-06, "high": 0.1, "log": true}}');
INSERT INTO public.trial_params VALUES (104, 5, 'model.filters', 4, '{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 4, "high": 6}}');
INSERT INTO public.trial_params VALUES (106, 5, 'model.block', 1, '{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "residual"]}}');
INSERT INTO public.trial_params VALUES (108, 5, 'model.activation', 4, '{"name": "CategoricalDistribution", "attributes": {"choices": ["relu", "leaky_relu", "elu", "gelu", "silu"]}}');
INSERT INTO public.trial_params VALUES (111, 5, 'loss.cross_entropy.use', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO public.trial_params VALUES (113, 5, 'loss.dice.use', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO public.trial_params VALUES (116, 5, 'loss.focal.weight', 0.34064294874971957, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.05, "high": 1.0, "log": false}}');
INSERT INTO public.trial_params VALUES (119, 5, 'class_weights.scheme', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "inverse_frequency"]}}');
INSERT INTO public.trial_params VALUES (122, 5, 'augment.flip_horizontal', 1, '{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO public.trial_params VALUES (125, 5, 'augment.blur', 0.11130366035329103, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.5, "log": false}}');
INSERT INTO public.trial_params VALUES (128, 5, 'optimisation.weight_decay', 2.789128485294262e-06, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-06, "high": 0.1, "log": true}}');
INSERT INTO public.trial_params VALUES (133, 6, 'model.block', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "residual"]}}');
INSERT INTO public.trial_params VALUES (136, 6, 'model.dropout', 0.2866124030921203, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.6, "log": false}}');
INSERT INTO public.trial_params VALUES (139, 6, 'loss.dice.use', 1, '{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO public.trial_params VALUES (142, 6, 'loss.ignore_excluded', 1, '{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO public.trial_params VALUES (147, 6, 'augment.flip_vertical', 1, '{"name": "CategoricalDistribution", "attributes": {"choices": [true, false]}}');
INSERT INTO public.trial_params VALUES (150, 6, 'optimisation.optimizer', 2, '{"name": "CategoricalDistribution", "attributes": {"choices": ["sgd", "adam", "adamw"]}}');
INSERT INTO public.trial_params VALUES (153, 6, 'optimisation.schedule', 1, '{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "plateau", "one_cycle", "cosine"]}}');
INSERT INTO public.trial_system_attributes VALUES (1, 1, 'artifacts:b091ce1b-ad72-4570-9fd0-82ca00812f9e', '"{\"artifact_id\": \"b091ce1b-ad72-4570-9fd0-82ca00812f9e\", \"filename\": \"00_panel.png\", \"mimetype\": \"image/png\", \"encoding\": null}"');
INSERT INTO public.trial_system_attributes VALUES (2, 1, 'artifacts:fa8895fa-bdaa-498f-922a-a0d1ae873263', '"{\"artifact_id\": \"fa8895fa-bdaa-498f-922a-a0d1ae873263\", \"filename\": \"10_curves.png\", \"mimetype\": \"image/png\", \"encoding\": null}"');
INSERT INTO public.trial_system_attributes VALUES (3, 1, 'artifacts:e8205037-2cbf-4230-9112-4f1b9e3e95f5', '"{\"artifact_id\": \"e8205037-2cbf-4230-9112-4f1b9e3e95f5\", \"filename\": \"20_confusion.png\", \"mimetype\": \"image/png\", \"encoding\": null}"');
INSERT INTO public.trial_system_attributes VALUES (4, 1, 'artifacts:69093348-d8b3-4f7b-ad51-db6b828d7fbd', '"{\"artifact_id\": \"69093348-d8b3-4f7b-ad51-db6b828d7fbd\", \"filename\": \"30_iou.csv\", \"mimetype\": \"text/csv\", \"encoding\": null}"');
INSERT INTO public.trial_system_attributes VALUES (5, 1, 'artifacts:46dbe1dd-b78f-4284-9d3c-dcebfab8719d', '"{\"artifact_id\": \"46dbe1dd-b78f-4284-9d3c-dcebfab8719d\", \"filename\": \"40_recipe.yaml\", \"mimetype\": \"text/plain\", \"encoding\": null}"');
INSERT INTO public.trial_system_attributes VALUES (6, 2, 'artifacts:fe48e6a7-36d4-48d1-8afb-ab2a8d3fe8db', '"{\"artifact_id\": \"fe48e6a7-36d4-48d1-8afb-ab2a8d3fe8db\", \"filename\": \"00_panel.png\", \"mimetype\": \"image/png\", \"encoding\": null}"');
INSERT INTO public.trial_system_attributes VALUES (7, 2, 'artifacts:6990b892-b691-49ae-85b7-2e9a5eaa4b6f', '"{\"artifact_id\": \"6990b892-b691-49ae-85b7-2e9a5eaa4b6f\", \"filename\": \"10_curves.png\", \"mimetype\": \"image/png\", \"encoding\": null}"');
INSERT INTO public.trial_system_attributes VALUES (8, 2, 'artifacts:59c6a5f0-b92f-4b98-8f81-803079527480', '"{\"artifact_id\": \"59c6a5f0-b92f-4b98-8f81-803079527480\", \"filename\": \"20_confusion.png\", \"mimetype\": \"image/png\", \"encoding\": null}"');
INSERT INTO public.trial_system_attributes VALUES (9, 2, 'artifacts:16ab27f6-8901-4917-bf68-3133228a684b', '"{\"artifact_id\": \"16ab27f6-8901-4917-bf68-3133228a684b\", \"filename\": \"30_iou.csv\", \"mimetype\": \"text/csv\", \"encoding\": null}"');
INSERT INTO public.trial_system_attributes VALUES (10, 2, 'artifacts:3c566c52-2760-455d-9af9-1c79d4ff4ff7', '"{\"artifact_id\": \"3c566c52-2760-455d-9af9-1c79d4ff4ff7\", \"filename\": \"40_recipe.yaml\", \"mimetype\": \"text/plain\", \"encoding\": null}"');
INSERT INTO public.trial_system_attributes VALUES (11, 3, 'artifacts:6bba4ac5-1b52-4dcd-9a50-c56a22104026', '"{\"artifact_id\": \"6bba4ac5-1b52-4dcd-9a50-c56a22104026\", \"filename\": \"00_panel.png\", \"mimetype\": \"image/png\", \"encoding\": null}"');
INSERT INTO public.trial_system_attributes VALUES (12, 3, 'artifacts:8094d92d-b409-4729-901e-250c9925b31e', '"{\"artifact_id\": \"8094d92d-b409-4729-901e-250c9925b31e\", \"filename\": \"10_curves.png\", \"mimetype\": \"image/png\", \"encoding\": null}"');
INSERT INTO public.trial_system_attributes VALUES (13, 3, 'artifacts:c6e95e3c-2f30-4382-89f5-bfb3e033159b', '"{\"artifact_id\": \"c6e95e3c-2f30-4382-89f5-bfb3e033159b\", \"filename\": \"20_confusion.png\", \"mimetype\": \"image/png\", \"encoding\": null}"');
INSERT INTO public.trial_system_attributes VALUES (14, 3, 'artifacts:c3a1abbe-4f0d-41cd-ab32-25648c4f42c9', '"{\"artifact_id\": \"c3a1abbe-4f0d-41cd-ab32-25648c4f42c9\", \"filename\": \"30_iou.csv\", \"mimetype\": \"text/csv\", \"encoding\": null}"');
INSERT INTO public.trial_system_attributes VALUES (15, 3, 'artifacts:1af97141-9b0a-4f7d-809f-2a99630406bf', '"{\"artifact_id\": \"1af97141-9b0a-4f7d-809f-2a99630406bf\", \"filename\": \"40_recipe.yaml\", \"mimetype\": \"text/plain\", \"encoding\": null}"');
INSERT INTO public.trial_system_attributes VALUES (16, 4, 'artifacts:534b3727-22fc-474a-95e8-d72d058d6959', '"{\"artifact_id\": \"534b3727-22fc-474a-95e8-d72d058d6959\", \"filename\": \"00_panel.png\", \"mimetype\": \"image/png\", \"encoding\": null}"');
INSERT INTO public.trial_system_attributes VALUES (17, 4, 'artifacts:804ce225-dd7f-4293-89ba-f5cf234be499', '"{\"artifact_id\": \"804ce225-dd7f-4293-89ba-f5cf234be499\", \"filename\": \"10_curves.png\", \"mimetype\": \"image/png\", \"encoding\": null}"');
INSERT INTO public.trial_system_attributes VALUES (18, 4, 'artifacts:646853ae-4cb9-4ae5-82a3-b3d2ff349da4', '"{\"artifact_id\": \"646853ae-4cb9-4ae5-82a3-b3d2ff349da4\", \"filename\": \"20_confusion.png\", \"mimetype\": \"image/png\", \"encoding\": null}"');
INSERT INTO public.trial_system_attributes VALUES (19, 4, 'artifacts:727fd461-0a2d-4091-a3f8-a9e0a6452756', '"{\"artifact_id\": \"727fd461-0a2d-4091-a3f8-a9e0a6452756\", \"filename\": \"30_iou.csv\", \"mimetype\": \"text/csv\", \"encoding\": null}"');
INSERT INTO public.trial_system_attributes VALUES (20, 4, 'artifacts:02bfd906-4885-46d4-b320-90f13682ce95', '"{\"artifact_id\": \"02bfd906-4885-46d4-b320-90f13682ce95\", \"filename\": \"40_recipe.yaml\", \"mimetype\": \"text/plain\", \"encoding\": null}"');
INSERT INTO public.trial_system_attributes VALUES (21, 6, 'tpe:relative_params:0', '"{\"augment.blur\": 0.7784774710878363, \"augment.flip_horizontal\": true, \"augment.flip_vertical\": false, \"augment.noise\": 0.1230795711349864, \"class_weights.background\": 0.09803984219213746, \"class_weights.scheme\": \"inverse_frequency\", \"class_weights.smoothing\": 0.07550422591422395, \"loss.cross_entropy.use\": false, \"loss.dice.use\": false, \"loss.focal.gamma\": 2.2864596873481577, \"loss.focal.weight\": 0.9469621229394081, \"loss.ignore_excluded\": false, \"model.activation\": \"leaky_relu\", \"model.block\": \"plain\", \"model.dropout\": 0.2866124030921203, \"model.filters\": 4, \"model.growth\": 1.0852705020032278, \"model.norm\": \"none\", \"model.upsampling\": \"nearest\", \"optimisation.batch_size\": 4, \"optimisation.lr\": 0.01845356236404948, \"optimisation.optimizer\": \"adamw\", \"optimisation.schedule\": \"plateau\", \"optimisation.weight_decay\": 0.0041343250401410184, \"loss.focal.use\": false, \"loss.dice.weight\": 0.06360891459094703, \"loss.cross_entropy.weight\": 0.9228024097742541}"');
INSERT INTO public.trial_system_attributes VALUES (22, 5, 'artifacts:cd0b7671-f849-4121-a80b-65cac75c5dec', '"{\"artifact_id\": \"cd0b7671-f849-4121-a80b-65cac75c5dec\", \"filename\": \"00_panel.png\", \"mimetype\": \"image/png\", \"encoding\": null}"');
INSERT INTO public.trial_system_attributes VALUES (23, 5, 'artifacts:d0040a51-e10b-470a-8659-4e619a3df623', '"{\"artifact_id\": \"d0040a51-e10b-470a-8659-4e619a3df623\", \"filename\": \"10_curves.png\", \"mimetype\": \"image/png\", \"encoding\": null}"');
INSERT INTO public.trial_system_attributes VALUES (24, 5, 'artifacts:ef17f54f-5b9c-4160-82f1-ab92c2a76951', '"{\"artifact_id\": \"ef17f54f-5b9c-4160-82f1-ab92c2a76951\", \"filename\": \"20_confusion.png\", \"mimetype\": \"image/png\", \"encoding\": null}"');
INSERT INTO public.trial_system_attributes VALUES (25, 5, 'artifacts:a1b9a770-0abf-48ed-aa50-8aa5c23c4c47', '"{\"artifact_id\": \"a1b9a770-0abf-48ed-aa50-8aa5c23c4c47\", \"filename\": \"30_iou.csv\", \"mimetype\": \"text/csv\", \"encoding\": null}"');
INSERT INTO public.trial_system_attributes VALUES (26, 5, 'artifacts:f12b2501-239f-4f18-aeb2-68b841f90bbc', '"{\"artifact_id\": \"f12b2501-239f-4f18-aeb2-68b841f90bbc\", \"filename\": \"40_recipe.yaml\", \"mimetype\": \"text/plain\", \"encoding\": null}"');
INSERT INTO public.trial_system_attributes VALUES (27, 6, 'artifacts:78491ea8-5d98-4e1b-9719-f3bf4dd4deba', '"{\"artifact_id\": \"78491ea8-5d98-4e1b-9719-f3bf4dd4deba\", \"filename\": \"00_panel.png\", \"mimetype\": \"image/png\", \"encoding\": null}"');
INSERT INTO public.trial_system_attributes VALUES (28, 6, 'artifacts:a740c2da-9615-48ef-8f99-dc5c1d597b9b', '"{\"artifact_id\": \"a740c2da-9615-48ef-8f99-dc5c1d597b9b\", \"filename\": \"10_curves.png\", \"mimetype\": \"image/png\", \"encoding\": null}"');
INSERT INTO public.trial_system_attributes VALUES (29, 6, 'artifacts:0db01b3e-eeaa-422c-bc47-2fce8dd800bd', '"{\"artifact_id\": \"0db01b3e-eeaa-422c-bc47-2fce8dd800bd\", \"filename\": \"20_confusion.png\", \"mimetype\": \"image/png\", \"encoding\": null}"');
INSERT INTO public.trial_system_attributes VALUES (30, 6, 'artifacts:64c699d5-514c-4e3f-b9fe-9a54e43b3734', '"{\"artifact_id\": \"64c699d5-514c-4e3f-b9fe-9a54e43b3734\", \"filename\": \"30_iou.csv\", \"mimetype\": \"text/csv\", \"encoding\": null}"');
INSERT INTO public.trial_system_attributes VALUES (31, 6, 'artifacts:2c6cc0d6-7c8f-4a95-bf48-63f1e5676ab2', '"{\"artifact_id\": \"2c6cc0d6-7c8f-4a95-bf48-63f1e5676ab2\", \"filename\": \"40_recipe.yaml\", \"mimetype\": \"text/plain\", \"encoding\": null}"');
INSERT INTO public.trial_user_attributes VALUES (1, 1, 'recipe', '"model:\n  family: unet\n  depth: 2\n  filters: 4\n  growth: 1.0518583269433432\n  block: plain\n  kernel: 3\n  norm: instance\n  activation: leaky_relu\n  dropout: 0.4879201600963396\n  upsampling: nearest\nloss:\n  cross_entropy: null\n  dice: null\n  focal:\n    weight: 0.8775058589057969\n    gamma: 3.5977003760555655\n  ignore_excluded: false\nclass_weights:\n  scheme: inverse_frequency\n  smoothing: 0.06943280959271136\n  background: 0.9844753192589772\n  factors: {}\naugment:\n  flip_horizontal: true\n  flip_vertical: false\n  noise: 0.1466315916193097\n  blur: 0.433209647400532\noptimisation:\n  optimizer: sgd\n  lr: 0.006681196161635566\n  weight_decay: 0.0005658912878915781\n  momentum: 0.9\n  schedule: plateau\n  batch_size: 4\n  epochs: 3\n  patience: 30\ndata:\n  cleaning: mask\nseed: 7896617691693857887\n"');
INSERT INTO public.trial_user_attributes VALUES (2, 1, 'miou', '0.1135074244751664');
INSERT INTO public.trial_user_attributes VALUES (3, 1, 'miou_strict', '0.08826107049152998');
INSERT INTO public.trial_user_attributes VALUES (4, 1, 'accuracy', '0.19091796875');
INSERT INTO public.trial_user_attributes VALUES (5, 1, 'iou_soil', '0.2634920634920635');
INSERT INTO public.trial_user_attributes VALUES (6, 1, 'iou_bedrock', '0.04');
INSERT INTO public.trial_user_attributes VALUES (7, 1, 'iou_sand', '0.15053763440860216');
INSERT INTO public.trial_user_attributes VALUES (8, 1, 'iou_big rock', '0.0');
INSERT INTO public.trial_user_attributes VALUES (9, 1, 'best_epoch', '3');
INSERT INTO public.trial_user_attributes VALUES (10, 1, 'epochs', '3');
INSERT INTO public.trial_user_attributes VALUES (11, 1, 'parameters', '1765');
INSERT INTO public.trial_user_attributes VALUES (12, 1, 'training_seconds', '10.378');
INSERT INTO public.trial_user_attributes VALUES (13, 1, 'normalisation', '{"mean": [77.37315368652344], "std": [17.053104400634766]}');
INSERT INTO public.trial_user_attributes VALUES (14, 1, 'confusion', '[[15, 142, 66, 501, 47], [27, 249, 71, 354, 47], [8, 98, 15, 139, 18], [3, 99, 26, 112, 11], [0, 0, 0, 0, 0]]');
INSERT INTO public.trial_user_attributes VALUES (15, 2, 'recipe', '"model:\n  family: unet\n  depth: 2\n  filters: 4\n  growth: 1.0075305730675155\n  block: plain\n  kernel: 3\n  norm: none\n  activation: leaky_relu\n  dropout: 0.4834988693757976\n  upsampling: nearest\nloss:\n  cross_entropy:\n    weight: 0.1608096514579886\n  dice:\n    weight: 0.3073646646782668\n  focal:\n    weight: 0.9102068473678246\n    gamma: 2.531050336666647\n  ignore_excluded: false\nclass_weights:\n  scheme: none\n  smoothing: 0.19035713245170494\n  background: 0.035232584306625236\n  factors: {}\naugment:\n  flip_horizontal: false\n  flip_vertical: false\n  noise: 0.21586422776054265\n  blur: 0.43520513089055196\noptimisation:\n  optimizer: sgd\n  lr: 0.0013988231005410382\n  weight_decay: 1.344574197872087e-05\n  momentum: 0.9\n  schedule: cosine\n  batch_size: 8\n  epochs: 3\n  patience: 30\ndata:\n  cleaning: mask\nseed: 2918264622725855778\n"');
INSERT INTO public.trial_user_attributes VALUES (16, 2, 'miou', '0.08830928414406375');
INSERT INTO public.trial_user_attributes VALUES (17, 2, 'miou_strict', '0.0677285023937665');
INSERT INTO public.trial_user_attributes VALUES (18, 2, 'accuracy', '0.1396484375');
INSERT INTO public.trial_user_attributes VALUES (19, 2, 'iou_soil', '0.0845771144278607');
INSERT INTO public.trial_user_attributes VALUES (20, 2, 'iou_bedrock', '0.18294573643410852');
INSERT INTO public.trial_user_attributes VALUES (21, 2, 'iou_sand', '0.08571428571428572');
INSERT INTO public.trial_user_attributes VALUES (22, 2, 'iou_big rock', '0.0');
INSERT INTO public.trial_user_attributes VALUES (23, 2, 'best_epoch', '3');
INSERT INTO public.trial_user_attributes VALUES (24, 2, 'epochs', '3');
INSERT INTO public.trial_user_attributes VALUES (25, 2, 'parameters', '1725');
INSERT INTO public.trial_user_attributes VALUES (26, 2, 'training_seconds', '6.535');
INSERT INTO public.trial_user_attributes VALUES (27, 2, 'normalisation', '{"mean": [77.37315368652344], "std": [17.053104400634766]}');
INSERT INTO public.trial_user_attributes VALUES (28, 2, 'confusion', '[[46, 58, 176, 488, 3], [119, 68, 253, 303, 5], [48, 36, 118, 76, 0], [60, 20, 114, 54, 3], [0, 0, 0, 0, 0]]');
INSERT INTO public.trial_user_attributes VALUES (29, 3, 'recipe', '"model:\n  family: unet\n  depth: 2\n  filters: 5\n  growth: 1.4934771083690865\n  block: plain\n  kernel: 3\n  norm: group\n  activation: relu\n  dropout: 0.27423526741260473\n  upsampling: nearest\nloss:\n  cross_entropy: null\n  dice:\n    weight: 0.7818142383186947\n  focal:\n    weight: 0.8120112652332225\n    gamma: 2.685232720564935\n  ignore_excluded: true\nclass_weights:\n  scheme: none\n  smoothing: 0.6657749790770445\n  background: 0.5006105905386312\n  factors: {}\naugment:\n  flip_horizontal: false\n  flip_vertical: true\n  noise: 0.11734060459622687\n  blur: 1.4299849977091403\noptimisation:\n  optimizer: adamw\n  lr: 6.256390825426927e-05\n  weight_decay: 2.666265741896404e-05\n  momentum: 0.9\n  schedule: one_cycle\n  batch_size: 8\n  epochs: 3\n  patience: 30\ndata:\n  cleaning: mask\nseed: 8597659618385908031\n"');
INSERT INTO public.trial_user_attributes VALUES (30, 3, 'miou', '0.042088537583026324');
INSERT INTO public.trial_user_attributes VALUES (31, 3, 'miou_strict', '0.031202148175966605');
INSERT INTO public.trial_user_attributes VALUES (32, 3, 'accuracy', '0.2197265625');
INSERT INTO public.trial_user_attributes VALUES (33, 3, 'iou_soil', '0.02610966057441253');
INSERT INTO public.trial_user_attributes VALUES (34, 3, 'iou_bedrock', '0.017241379310344827');
INSERT INTO public.trial_user_attributes VALUES (35, 3, 'iou_sand', '0.0829145728643216');
INSERT INTO public.trial_user_attributes VALUES (36, 3, 'best_epoch', '1');
INSERT INTO public.trial_user_attributes VALUES (37, 3, 'epochs', '3');
INSERT INTO public.trial_user_attributes VALUES (38, 3, 'parameters', '5100');
INSERT INTO public.trial_user_attributes VALUES (39, 3, 'training_seconds', '2.389');
INSERT INTO public.trial_user_attributes VALUES (40, 3, 'normalisation', '{"mean": [77.37315368652344], "std": [17.053104400634766]}');
INSERT INTO public.trial_user_attributes VALUES (41, 3, 'confusion', '[[388, 27, 155, 201, 0], [388, 20, 211, 129, 0], [241, 10, 9, 18, 0], [177, 8, 33, 33, 0], [0, 0, 0, 0, 0]]');
INSERT INTO public.trial_user_attributes VALUES (42, 4, 'recipe', '"model:\n  family: unet\n  depth: 2\n  filters: 6\n  growth: 1.1818382878701752\n  block: residual\n  kernel: 3\n  norm: batch\n  activation: elu\n  dropout: 0.05664927643415771\n  upsampling: nearest\nloss:\n  cross_entropy:\n    weight: 0.12854570140092536\n  dice: null\n  focal:\n    weight: 0.27622504730129943\n    gamma: 1.616490389299082\n  ignore_excluded: true\nclass_weights:\n  scheme: none\n  smoothing: 0.5384743425197691\n  background: 0.2903616055869481\n  factors: {}\naugment:\n  flip_horizontal: true\n  flip_vertical: true\n  noise: 0.10557196379241021\n  blur: 0.06686133319133136\noptimisation:\n  optimizer: sgd\n  lr: 0.009352615505287409\n  weight_decay: 0.080597950740777\n  momentum: 0.9\n  schedule: one_cycle\n  batch_size: 4\n  epochs: 3\n  patience: 30\ndata:\n  cleaning: mask\nseed: 3291213472928352369\n"');
INSERT INTO public.trial_user_attributes VALUES (43, 4, 'miou', '0.09027429178029694');
INSERT INTO public.trial_user_attributes VALUES (44, 4, 'miou_strict', '0.06488451030554282');
INSERT INTO public.trial_user_attributes VALUES (45, 4, 'accuracy', '0.14794921875');
INSERT INTO public.trial_user_attributes VALUES (46, 4, 'iou_soil', '0.03524804177545692');
INSERT INTO public.trial_user_attributes VALUES (47, 4, 'iou_bedrock', '0.21662125340599456');
INSERT INTO public.trial_user_attributes VALUES (48, 4, 'iou_sand', '0.10922787193973635');
INSERT INTO public.trial_user_attributes VALUES (49, 4, 'iou_big rock', '0.0');
INSERT INTO public.trial_user_attributes VALUES (50, 4, 'best_epoch', '2');
INSERT INTO public.trial_user_attributes VALUES (51, 4, 'epochs', '3');
INSERT INTO public.trial_user_attributes VALUES (52, 4, 'parameters', '5196');
INSERT INTO public.trial_user_attributes VALUES (53, 4, 'training_seconds', '3.212');
INSERT INTO public.trial_user_attributes VALUES (54, 4, 'normalisation', '{"mean": [77.37315368652344], "std": [17.053104400634766]}');
INSERT INTO public.trial_user_attributes VALUES (55, 4, 'confusion', '[[59, 19, 294, 292, 107], [91, 27, 329, 237, 64], [58, 8, 159, 43, 10], [33, 10, 127, 58, 23], [0, 0, 0, 0, 0]]');
INSERT INTO public.trial_user_attributes VALUES (57, 5, 'miou', '0.2602253395928525');
INSERT INTO public.trial_user_attributes VALUES (59, 5, 'accuracy', '0.3720703125');
INSERT INTO public.trial_user_attributes VALUES (61, 5, 'iou_bedrock', '0.1907356948228883');
INSERT INTO public.trial_user_attributes VALUES (62, 5, 'iou_sand', '0.0');
INSERT INTO public.trial_user_attributes VALUES (63, 5, 'best_epoch', '1');
INSERT INTO public.trial_user_attributes VALUES (66, 5, 'training_seconds', '6.956');
INSERT INTO public.trial_user_attributes VALUES (67, 5, 'normalisation', '{"mean": [77.37315368652344], "std": [17.053104400634766]}');
INSERT INTO public.trial_user_attributes VALUES (68, 5, 'confusion', '[[0, 617, 105, 49, 0], [0, 692, 55, 1, 0], [0, 208, 70, 0, 0], [0, 217, 34, 0, 0], [0, 0, 0, 0, 0]]');
INSERT INTO public.trial_user_attributes VALUES (70, 6, 'miou', '0.18497034535958623');
INSERT INTO public.trial_user_attributes VALUES (72, 6, 'accuracy', '0.31591796875');
INSERT INTO public.trial_user_attributes VALUES (74, 6, 'iou_bedrock', '0.04186046511627907');
INSERT INTO public.trial_user_attributes VALUES (56, 5, 'recipe', '"model:\n  family: unet\n  depth: 2\n  filters: 4\n  growth: 1.1118075007369974\n  block: residual\n  kernel: 3\n  norm: none\n  activation: silu\n  dropout: 0.3938499365537648\n  upsampling: nearest\nloss:\n  cross_entropy:\n    weight: 0.20414011993710918\n  dice:\n    weight: 0.6711574037069037\n  focal:\n    weight: 0.34064294874971957\n    gamma: 4.310371646747153\n  ignore_excluded: true\nclass_weights:\n  scheme: none\n  smoothing: 0.1403571758107538\n  background: 0.9145460451960685\n  factors: {}\naugment:\n  flip_horizontal: false\n  flip_vertical: true\n  noise: 0.16337451105492265\n  blur: 0.11130366035329103\noptimisation:\n  optimizer: adamw\n  lr: 0.0636583878870628\n  weight_decay: 2.789128485294262e-06\n  momentum: 0.9\n  schedule: none\n  batch_size: 4\n  epochs: 3\n  patience: 30\ndata:\n  cleaning: mask\nseed: 2494635221133837528\n"');
INSERT INTO public.trial_user_attributes VALUES (58, 5, 'miou_strict', '0.17829908783890414');
INSERT INTO public.trial_user_attributes VALUES (60, 5, 'iou_soil', '0.5899403239556692');
INSERT INTO public.trial_user_attributes VALUES (64, 5, 'epochs', '3');
INSERT INTO public.trial_user_attributes VALUES (65, 5, 'parameters', '1953');
INSERT INTO public.trial_user_attributes VALUES (71, 6, 'miou_strict', '0.12045707315323073');
INSERT INTO public.trial_user_attributes VALUES (73, 6, 'iou_soil', '0.5130505709624796');
INSERT INTO public.trial_user_attributes VALUES (76, 6, 'best_epoch', '2');
INSERT INTO public.trial_user_attributes VALUES (79, 6, 'training_seconds', '5.329');
INSERT INTO public.trial_user_attributes VALUES (69, 6, 'recipe', '"model:\n  family: unet\n  depth: 2\n  filters: 4\n  growth: 1.0852705020032278\n  block: plain\n  kernel: 3\n  norm: none\n  activation: leaky_relu\n  dropout: 0.2866124030921203\n  upsampling: nearest\nloss:\n  cross_entropy: null\n  dice: null\n  focal:\n    weight: 0.9469621229394081\n    gamma: 2.2864596873481577\n  ignore_excluded: false\nclass_weights:\n  scheme: inverse_frequency\n  smoothing: 0.07550422591422395\n  background: 0.09803984219213746\n  factors: {}\naugment:\n  flip_horizontal: true\n  flip_vertical: false\n  noise: 0.1230795711349864\n  blur: 0.7784774710878363\noptimisation:\n  optimizer: adamw\n  lr: 0.01845356236404948\n  weight_decay: 0.0041343250401410184\n  momentum: 0.9\n  schedule: plateau\n  batch_size: 4\n  epochs: 3\n  patience: 30\ndata:\n  cleaning: mask\nseed: 6102389744414414618\n"');
INSERT INTO public.trial_user_attributes VALUES (75, 6, 'iou_sand', '0.0');
INSERT INTO public.trial_user_attributes VALUES (78, 6, 'parameters', '1848');
INSERT INTO public.trial_user_attributes VALUES (81, 6, 'confusion', '[[0, 712, 59, 0, 0], [0, 629, 119, 0, 0], [0, 260, 18, 0, 0], [0, 218, 33, 0, 0], [0, 0, 0, 0, 0]]');
INSERT INTO public.trial_user_attributes VALUES (77, 6, 'epochs', '3');
INSERT INTO public.trial_user_attributes VALUES (80, 6, 'normalisation', '{"mean": [77.37315368652344], "std": [17.053104400634766]}');
INSERT INTO public.trial_values VALUES (1, 1, 0, 0.1135074244751664, 'FINITE');
INSERT INTO public.trial_values VALUES (2, 2, 0, 0.08830928414406375, 'FINITE');
INSERT INTO public.trial_values VALUES (3, 3, 0, 0.042088537583026324, 'FINITE');
INSERT INTO public.trial_values VALUES (4, 4, 0, 0.09027429178029694, 'FINITE');
INSERT INTO public.trial_values VALUES (5, 5, 0, 0.2602253395928525, 'FINITE');
INSERT INTO public.trial_values VALUES (6, 6, 0, 0.18497034535958623, 'FINITE');
INSERT INTO public.trials VALUES (1, 0, 1, 'COMPLETE', '2026-11-21 05:09:25.535934', '2026-11-21 05:10:01.630286');
INSERT INTO public.trials VALUES (2, 1, 1, 'COMPLETE', '2026-11-21 05:09:54.008779', '2026-11-21 05:10:04.89907');
INSERT INTO public.trials VALUES (3, 2, 1, 'COMPLETE', '2026-11-21 05:10:02.081268', '2026-11-21 05:10:07.463347');
INSERT INTO public.trials VALUES (4, 3, 1, 'COMPLETE', '2026-11-21 05:10:05.406968', '2026-11-21 05:10:13.115545');
INSERT INTO public.trials VALUES (5, 4, 1, 'COMPLETE', '2026-11-21 05:10:09.556086', '2026-11-21 05:10:21.025333');
INSERT INTO public.trials VALUES (6, 5, 1, 'COMPLETE', '2026-11-21 05:10:17.519337', '2026-11-21 05:10:26.077874');
INSERT INTO public.version_info VALUES (1, 12, '5.0.0');
SELECT pg_catalog.setval('public.marsearch_runs_id_seq', 6, true);
SELECT pg_catalog.setval('public.studies_study_id_seq', 1, true);
SELECT pg_catalog.setval('public.study_directions_study_direction_id_seq', 1, true);
SELECT pg_catalog.setval('public.study_system_attributes_study_system_attribute_id_seq', 1, true);
SELECT pg_catalog.setval('public.study_user_attributes_study_user_attribute_id_seq', 8, true);
SELECT pg_catalog.setval('public.trial_heartbeats_trial_heartbeat_id_seq', 6, true);
SELECT pg_catalog.setval('public.trial_intermediate_values_trial_intermediate_value_id_seq', 18, true);
SELECT pg_catalog.setval('public.trial_params_param_id_seq', 154, true);
SELECT pg_catalog.setval('public.trial_system_attributes_trial_system_attribute_id_seq', 31, true);
SELECT pg_catalog.setval('public.trial_user_attributes_trial_user_attribute_id_seq', 81, true);
SELECT pg_catalog.setval('public.trial_values_trial_value_id_seq', 6, true);
SELECT pg_catalog.setval('public.trials_trial_id_seq', 6, true);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.marsearch_version
    ADD CONSTRAINT marsearch_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.marsearch_datasets
    ADD CONSTRAINT pk_marsearch_datasets PRIMARY KEY (digest);
ALTER TABLE ONLY public.marsearch_epochs
    ADD CONSTRAINT pk_marsearch_epochs PRIMARY KEY (run_id, number);
ALTER TABLE ONLY public.marsearch_plans
    ADD CONSTRAINT pk_marsearch_plans PRIMARY KEY (study_id);
ALTER TABLE ONLY public.marsearch_runs
    ADD CONSTRAINT pk_marsearch_runs PRIMARY KEY (id);
ALTER TABLE ONLY public.marsearch_workers
    ADD CONSTRAINT pk_marsearch_workers PRIMARY KEY (id);
ALTER TABLE ONLY public.studies
    ADD CONSTRAINT studies_pkey PRIMARY KEY (study_id);
ALTER TABLE ONLY public.study_directions
    ADD CONSTRAINT study_directions_pkey PRIMARY KEY (study_direction_id);
ALTER TABLE ONLY public.study_directions
    ADD CONSTRAINT study_directions_study_id_objective_key UNIQUE (study_id, objective);
ALTER TABLE ONLY public.study_system_attributes
    ADD CONSTRAINT study_system_attributes_pkey PRIMARY KEY (study_system_attribute_id);
ALTER TABLE ONLY public.study_system_attributes
    ADD CONSTRAINT study_system_attributes_study_id_key_key UNIQUE (study_id, key);
ALTER TABLE ONLY public.study_user_attributes
    ADD CONSTRAINT study_user_attributes_pkey PRIMARY KEY (study_user_attribute_id);
ALTER TABLE ONLY public.study_user_attributes
    ADD CONSTRAINT study_user_attributes_study_id_key_key UNIQUE (study_id, key);
ALTER TABLE ONLY public.trial_heartbeats
    ADD CONSTRAINT trial_heartbeats_pkey PRIMARY KEY (trial_heartbeat_id);
ALTER TABLE ONLY public.trial_heartbeats
    ADD CONSTRAINT trial_heartbeats_trial_id_key UNIQUE (trial_id);
ALTER TABLE ONLY public.trial_intermediate_values
    ADD CONSTRAINT trial_intermediate_values_pkey PRIMARY KEY (trial_intermediate_value_id);
ALTER TABLE ONLY public.trial_intermediate_values
    ADD CONSTRAINT trial_intermediate_values_trial_id_step_key UNIQUE (trial_id, step);
ALTER TABLE ONLY public.trial_params
    ADD CONSTRAINT trial_params_pkey PRIMARY KEY (param_id);
ALTER TABLE ONLY public.trial_params
    ADD CONSTRAINT trial_params_trial_id_param_name_key UNIQUE (trial_id, param_name);
ALTER TABLE ONLY public.trial_system_attributes
    ADD CONSTRAINT trial_system_attributes_pkey PRIMARY KEY (trial_system_attribute_id);
ALTER TABLE ONLY public.trial_system_attributes
    ADD CONSTRAINT trial_system_attributes_trial_id_key_key UNIQUE (trial_id, key);
ALTER TABLE ONLY public.trial_user_attributes
    ADD CONSTRAINT trial_user_attributes_pkey PRIMARY KEY (trial_user_attribute_id);
ALTER TABLE ONLY public.trial_user_attributes
    ADD CONSTRAINT trial_user_attributes_trial_id_key_key UNIQUE (trial_id, key);
ALTER TABLE ONLY public.trial_values
    ADD CONSTRAINT trial_values_pkey PRIMARY KEY (trial_value_id);
ALTER TABLE ONLY public.trial_values
    ADD CONSTRAINT trial_values_trial_id_objective_key UNIQUE (trial_id, objective);
ALTER TABLE ONLY public.trials
    ADD CONSTRAINT trials_pkey PRIMARY KEY (trial_id);
ALTER TABLE ONLY public.marsearch_plans
    ADD CONSTRAINT uq_marsearch_plans_study UNIQUE (study);
ALTER TABLE ONLY public.version_info
    ADD CONSTRAINT version_info_pkey PRIMARY KEY (version_info_id);
CREATE INDEX ix_marsearch_runs_study_id_trial ON public.marsearch_runs USING btree (study_id, trial);
CREATE INDEX ix_marsearch_workers_study_id_state ON public.marsearch_workers USING btree (study_id, state);
CREATE UNIQUE INDEX ix_studies_study_name ON public.studies USING btree (study_name);
CREATE INDEX ix_trials_study_id ON public.trials USING btree (study_id);
ALTER TABLE ONLY public.marsearch_epochs
    ADD CONSTRAINT fk_marsearch_epochs_run_id FOREIGN KEY (run_id) REFERENCES public.marsearch_runs(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.study_directions
    ADD CONSTRAINT study_directions_study_id_fkey FOREIGN KEY (study_id) REFERENCES public.studies(study_id);
ALTER TABLE ONLY public.study_system_attributes
    ADD CONSTRAINT study_system_attributes_study_id_fkey FOREIGN KEY (study_id) REFERENCES public.studies(study_id);
ALTER TABLE ONLY public.study_user_attributes
    ADD CONSTRAINT study_user_attributes_study_id_fkey FOREIGN KEY (study_id) REFERENCES public.studies(study_id);
ALTER TABLE ONLY public.trial_heartbeats
    ADD CONSTRAINT trial_heartbeats_trial_id_fkey FOREIGN KEY (trial_id) REFERENCES public.trials(trial_id);
ALTER TABLE ONLY public.trial_intermediate_values
    ADD CONSTRAINT trial_intermediate_values_trial_id_fkey FOREIGN KEY (trial_id) REFERENCES public.trials(trial_id);
ALTER TABLE ONLY public.trial_params
    ADD CONSTRAINT trial_params_trial_id_fkey FOREIGN KEY (trial_id) REFERENCES public.trials(trial_id);
ALTER TABLE ONLY public.trial_system_attributes
    ADD CONSTRAINT trial_system_attributes_trial_id_fkey FOREIGN KEY (trial_id) REFERENCES public.trials(trial_id);
ALTER TABLE ONLY public.trial_user_attributes
    ADD CONSTRAINT trial_user_attributes_trial_id_fkey FOREIGN KEY (trial_id) REFERENCES public.trials(trial_id);
ALTER TABLE ONLY public.trial_values
    ADD CONSTRAINT trial_values_trial_id_fkey FOREIGN KEY (trial_id) REFERENCES public.trials(trial_id);
ALTER TABLE ONLY public.trials
    ADD CONSTRAINT trials_study_id_fkey FOREIGN KEY (study_id) REFERENCES public.studies(study_id);
