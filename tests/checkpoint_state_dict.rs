//! Which state_dict is found in handmade archives, and under which keys.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::Write;

use ptw2k::checkpoint::{
    Checkpoint, ErrorKind, NotWeights, OpenOptions, Role, TensorError, UnsupportedTensor, Warning,
};
use ptw2k::tensor::ByteOrder;
use zip::write::{SimpleFileOptions, ZipWriter};

/// A float32 tensor of shape (2, 3) on the one storage.
const TENSOR: &str = "ctorch._utils\n_rebuild_tensor_v2\n((Vstorage\nctorch\nFloatStorage\nV0\nVcpu\nK\u{6}tQ\
    K\u{0}K\u{2}K\u{3}\u{86}K\u{3}K\u{1}\u{86}\u{89}NtR";

fn tensor() -> Vec<u8> {
    TENSOR.chars().map(|character| u8::try_from(u32::from(character)).unwrap()).collect()
}

fn dict(items: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = b"}(".to_vec();
    for (key, value) in items {
        bytes.extend(format!("V{key}\n").bytes());
        bytes.extend(value);
    }
    bytes.push(b'u');
    bytes
}

fn open(root: &[u8], byte_order: &str, key: Option<&str>) -> Result<Checkpoint, ErrorKind> {
    let options = OpenOptions { key: key.map(ToOwned::to_owned), ..OpenOptions::default() };
    open_with(root, byte_order, &options)
}

fn open_with(root: &[u8], byte_order: &str, options: &OpenOptions) -> Result<Checkpoint, ErrorKind> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let mut zip = ZipWriter::new(file.as_file_mut());
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let records: [(&str, &[u8]); 3] = [
        ("data.pkl", &[b"\x80\x02", root, b"."].concat()),
        ("data/0", &[1; 24]),
        ("byteorder", byte_order.as_bytes()),
    ];
    for (name, bytes) in records {
        zip.start_file(format!("archive/{name}"), stored).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
    Checkpoint::open(file.path(), options).map_err(|error| error.kind)
}

/// The path joined by `/`, then the keys.
fn check(root: &[u8], key: Option<&str>, path: &str, keys: &[&str]) -> Checkpoint {
    let checkpoint = open(root, "little", key).unwrap();
    let found: Vec<&str> = checkpoint.tensors.iter().map(|tensor| tensor.key.as_str()).collect();
    assert_eq!((checkpoint.state_dict_path.join("/").as_str(), found.as_slice()), (path, keys));
    checkpoint
}

#[test]
fn the_likeliest_is_chosen() {
    let weights = || dict(&[("w", tensor()), ("b", tensor())]);
    let optimizer = || dict(&[("state", dict(&[("exp_avg", tensor())])), ("param_groups", b"]".to_vec())]);
    check(&weights(), None, "", &["w", "b"]);
    check(
        &dict(&[("epoch", b"K\x07".to_vec()), ("model", weights()), ("o", optimizer())]),
        None,
        "model",
        &["w", "b"],
    );
    check(&dict(&[("params", weights()), ("params_ema", weights())]), None, "params", &["w", "b"]);
    check(&dict(&[("a.b", dict(&[("c", weights())]))]), Some("a.b.c"), "a.b/c", &["w", "b"]);
    let both = dict(&[("netG", weights()), ("netD", weights())]);
    assert!(
        matches!(open(&both, "little", None), Err(ErrorKind::Ambiguous { count: 2, candidates }) if candidates.len() == 2)
    );
    check(&both, Some("netD"), "netD", &["w", "b"]);
    check(&both, Some(""), "", &["netG.w", "netG.b", "netD.w", "netD.b"]);
    assert!(matches!(open(&both, "little", Some("netX")), Err(ErrorKind::NoSuchKey { .. })));
}

#[test]
fn lists_and_integer_keys_lead_to_state_dicts() {
    let weights = || dict(&[("w", tensor()), ("b", tensor())]);
    let list = |items: &[Vec<u8>]| [b"](".as_slice(), &items.concat(), b"e"].concat();
    let paths = |root: &[u8]| match open(root, "little", None) {
        Err(ErrorKind::Ambiguous { candidates, .. }) => {
            candidates.iter().map(|found| found.path.join("/")).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    let models = dict(&[("models", list(&[weights(), weights()]))]);
    assert_eq!(paths(&models), ["models/0", "models/1"]);
    check(&models, Some("models.1"), "models/1", &["w", "b"]);
    assert_eq!(paths(&list(&[weights(), weights(), b"K\x05".to_vec()])), ["0", "1"]);
    check(&dict(&[("model", list(&[weights()])), ("history", weights())]), None, "model/0", &["w", "b"]);
    assert_eq!(paths(&dict(&[("models", list(&[weights()])), ("rest", weights())])), ["models/0", "rest"]);
    let numbered = [b"}(K\x03".as_slice(), &weights(), b"K\x04", &weights(), b"u"].concat();
    assert_eq!(paths(&numbered), ["3", "4"]);
    check(&numbered, Some("4"), "4", &["w", "b"]);
    check(&dict(&[("optimizers", list(&[weights()])), ("net", weights())]), None, "net", &["w", "b"]);
    check(&list(&[tensor(), tensor()]), None, "", &["0", "1"]);
    check(&[tensor(), vec![0x85]].concat(), None, "", &["0"]);
    check(&tensor(), None, "", &["tensor"]);
    check(&dict(&[("a", dict(&[("b.c", tensor())]))]), Some("a.b.c"), "a/b.c", &["b.c"]);
    // Tensors without names, below the root, are for --key.
    let nameless = dict(&[("images", list(&[tensor()])), ("n", b"K\x05".to_vec())]);
    match open(&nameless, "little", None) {
        Err(ErrorKind::NoStateDict { candidates, .. }) => assert_eq!(candidates[0].path, ["images"]),
        other => panic!("{other:?}"),
    }
    check(&nameless, Some("images"), "images", &["0"]);
}

#[test]
fn objects_lead_to_state_dicts() {
    let weights = || dict(&[("w", tensor()), ("b", tensor())]);
    let object = |state: Vec<u8>| [b"cmine\nThing\n)\x81".as_slice(), &state, b"b"].concat();
    check(&object(dict(&[("step", b"N".to_vec()), ("best", weights())])), None, "best", &["w", "b"]);
    let slots = [b"N".as_slice(), &dict(&[("best", weights())]), b"\x86"].concat();
    check(&dict(&[("run", object(slots))]), None, "run/best", &["w", "b"]);
    let named_tuple = [b"cmine\nPair\nK\x05".as_slice(), &weights(), b"\x86\x81"].concat();
    check(&named_tuple, None, "1", &["w", "b"]);
    let attributes = dict(&[("args", object(dict(&[("noise", tensor())]))), ("net", weights())]);
    check(&attributes, None, "net", &["w", "b"]);
    check(&attributes, Some("args"), "args", &["noise"]);
}

#[test]
fn the_state_of_optimizers_is_no_weight() {
    let weights = || dict(&[("w", tensor()), ("b", tensor())]);
    let slots = || dict(&[("step", b"K\x05".to_vec()), ("exp_avg", tensor()), ("exp_avg_sq", tensor())]);
    let state = || [b"}(K\x00".as_slice(), &slots(), b"K\x01", &slots(), b"u"].concat();
    let whole = || dict(&[("state", state()), ("param_groups", b"]".to_vec())]);
    let object = || [b"ctorch.optim.adam\nAdam\n)\x81".as_slice(), &whole(), b"b"].concat();
    for other in [state(), whole(), object()] {
        let checkpoint = check(&dict(&[("zzz", other), ("yyy", weights())]), None, "yyy", &["w", "b"]);
        assert_eq!(checkpoint.candidates.len(), 1);
    }
    let what = |root: &[u8]| match open(root, "little", None) {
        Err(ErrorKind::NotWeights(what)) => what,
        other => panic!("{other:?}"),
    };
    assert_eq!(what(&whole()), NotWeights::Optimizer);
    assert_eq!(what(&object()), NotWeights::Optimizer);
    let none = || b"N".to_vec();
    assert_eq!(what(&dict(&[("last_epoch", none()), ("_step_count", none())])), NotWeights::Scheduler);
    assert_eq!(what(&dict(&[("growth_factor", none()), ("backoff_factor", none())])), NotWeights::GradScaler);
    assert_eq!(
        what(&dict(&[("python", none()), ("numpy", none()), ("cpu", tensor())])),
        NotWeights::RandomState
    );
    assert_eq!(
        what(&dict(&[("optimizer_state_dict", weights()), ("ds_version", none())])),
        NotWeights::DeepSpeedOptimizer
    );
    let arguments = b"ctransformers.training_args\nTrainingArguments\n)\x81}b";
    assert_eq!(what(arguments), NotWeights::TrainingArguments);
    // Placeholders without elements for the parameters that `param_shapes` lists.
    let some = tensor();
    let at = some.windows(5).position(|window| window == b"K\x02K\x03\x86").unwrap();
    let empty = [&some[..at], b"K\x00\x85K\x01\x85\x89NtR"].concat();
    let stage3 = |weight: Vec<u8>| {
        let shapes = [b"](".as_slice(), &dict(&[("w", b"K\x02K\x03\x86".to_vec())]), b"e"].concat();
        dict(&[("module", dict(&[("w", weight)])), ("param_shapes", shapes)])
    };
    assert_eq!(what(&stage3(empty)), NotWeights::Zero3);
    assert_eq!(check(&stage3(tensor()), None, "module", &["w"]).trainer.as_deref(), Some("DeepSpeed"));
}

/// How many are equally likely, and the paths of all.
fn ambiguous(root: &[u8]) -> (usize, Vec<String>) {
    match open(root, "little", None) {
        Err(ErrorKind::Ambiguous { count, candidates }) => {
            (count, candidates.iter().map(|found| found.path.join("/")).collect())
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn names_of_parts_are_not_those_of_training() {
    let weights = || dict(&[("w", tensor()), ("b", tensor())]);
    let both = dict(&[("discriminator", weights()), ("upscaler", weights())]);
    assert_eq!(ambiguous(&both), (2, vec!["discriminator".to_owned(), "upscaler".to_owned()]));
    for name in ["upscaler", "feature_scaler", "text_scheduler", "rescheduler"] {
        check(&dict(&[("epoch", b"K\x01".to_vec()), (name, weights())]), None, name, &["w", "b"]);
        // Within a state_dict only what an optimizer keeps is left out.
        let nested = dict(&[("model", dict(&[(name, weights()), ("w", tensor())]))]);
        check(&nested, None, "model", &[&format!("{name}.w"), &format!("{name}.b"), "w"]);
    }
    let module = || module(weights(), b"}".to_vec(), b"}".to_vec());
    assert_eq!(ambiguous(&dict(&[("a", module()), ("rescheduler", module())])).1, ["a", "rescheduler"]);
    // A real scheduler, and one whose tensors have names of its own only.
    let scheduler = || dict(&[("last_epoch", b"K\x01".to_vec()), ("base_lrs", b"]".to_vec())]);
    let checkpoint =
        check(&dict(&[("net", weights()), ("lr_scheduler", scheduler())]), None, "net", &["w", "b"]);
    assert_eq!(checkpoint.warnings, []);
    // What an optimizer's key alone sets aside is told, and can be read.
    let moments = || dict(&[("optimizer", dict(&[("m", weights())])), ("model", weights())]);
    let checkpoint = check(&moments(), None, "model", &["w", "b"]);
    assert!(matches!(checkpoint.warnings.as_slice(), [Warning::NotRead { beside }]
        if beside.len() == 1 && beside[0].path == ["optimizer"] && beside[0].tensors == 2));
    assert_eq!(checkpoint.candidates.len(), 2);
    check(&moments(), Some("optimizer"), "optimizer", &["m.w", "m.b"]);
    // An optimizer's names saved flat.
    let flat =
        dict(&[("w", tensor()), ("optim.state.w.exp_avg", tensor()), ("optim.state.w.step", tensor())]);
    let checkpoint = check(&flat, None, "", &["w"]);
    assert!(matches!(checkpoint.warnings.as_slice(), [Warning::OptimizerState { entries: 2, .. }]));
    let lists = [b"](".as_slice(), &tensor(), b"e"].concat();
    check(&dict(&[("best", weights()), ("exp_avgs", lists)]), None, "best", &["w", "b"]);
}

#[test]
fn tensors_beside_dictionaries_make_a_whole() {
    let weights = || dict(&[("w", tensor())]);
    let number = || b"K\x05".to_vec();
    let root = dict(&[
        ("encoder", weights()),
        ("cls_token", tensor()),
        ("pos_embed", tensor()),
        ("head", weights()),
        ("norm", weights()),
    ]);
    check(&root, None, "", &["encoder.w", "cls_token", "pos_embed", "head.w", "norm.w"]);
    check(&dict(&[("w", tensor()), ("n", number()), ("od", weights())]), None, "", &["w", "od.w"]);
    assert_eq!(ambiguous(&dict(&[("model", weights()), ("queue", tensor()), ("n", number())])).0, 2);
    assert_eq!(ambiguous(&dict(&[("encoder", weights()), ("classifier", weights())])).0, 2);
    // Beside a model and its optimizer it is told.
    let root = dict(&[("model", weights()), ("queue", tensor()), ("optimizer", b"}".to_vec())]);
    let checkpoint = check(&root, None, "model", &["w"]);
    assert!(matches!(checkpoint.warnings.as_slice(), [Warning::NotRead { beside }]
        if beside.len() == 1 && beside[0].path == ["queue"]));
    // What training scripts keep beside.
    for name in ["best_acc", "loss", "rng_state", "global_step", "epoch"] {
        let root = dict(&[("model", weights()), (name, tensor()), ("epochs", number())]);
        assert_eq!(check(&root, None, "model", &["w"]).warnings, [], "{name}");
    }
    let root = dict(&[("state_dict", weights()), ("class_weights", tensor()), ("epoch", number())]);
    let checkpoint = check(&root, None, "state_dict", &["w"]);
    assert!(matches!(checkpoint.warnings.as_slice(), [Warning::NotRead { beside }]
        if beside.len() == 1 && beside[0].path == ["class_weights"]));
}

#[test]
fn keys_with_dots_can_be_quoted() {
    let root = dict(&[("a", dict(&[("b", dict(&[("v", tensor())]))])), ("a.b", dict(&[("w", tensor())]))]);
    check(&root, Some("a.b"), "a/b", &["v"]);
    check(&root, Some("\"a.b\""), "a.b", &["w"]);
    check(&root, Some("\"a\".b"), "a/b", &["v"]);
}

#[test]
fn moving_averages_are_chosen_when_asked_for() {
    let weights = || dict(&[("w", tensor())]);
    let ema = OpenOptions { ema: true, ..OpenOptions::default() };
    let path = |root: &[u8]| open_with(root, "little", &ema).map(|found| found.state_dict_path.join("."));
    for name in ["state_dict_ema", "params_ema", "ema", "model_ema", "ema_state_dict", "swa_model", "g_ema"] {
        assert_eq!(path(&dict(&[("model", weights()), (name, weights())])).unwrap(), name);
        check(&dict(&[(name, weights()), ("model", weights())]), None, "model", &["w"]);
    }
    let none = path(&dict(&[("model", weights())]));
    assert!(matches!(none, Err(ErrorKind::NoMovingAverage { candidates }) if candidates.len() == 1));
    let two = path(&dict(&[("g_ema", weights()), ("d_ema", weights()), ("g", weights())]));
    assert!(matches!(two, Err(ErrorKind::Ambiguous { count: 2, candidates }) if candidates.len() == 2));
    let both = OpenOptions { key: Some("model".to_owned()), ema: true, ..OpenOptions::default() };
    assert!(matches!(open_with(&weights(), "little", &both), Err(ErrorKind::KeyAndEma)));
    // ultralytics reads the average, when there is one.
    let net = || module(weights(), b"}".to_vec(), b"}".to_vec());
    let ultralytics = |model, ema| dict(&[("model", model), ("ema", ema), ("train_args", b"}".to_vec())]);
    let checkpoint = check(&ultralytics(net(), net()), None, "ema", &["w"]);
    assert_eq!(checkpoint.trainer.as_deref(), Some("ultralytics"));
    assert_eq!(checkpoint.warnings, [Warning::Averaged { path: "ema", current: "model" }]);
    let checkpoint = check(&ultralytics(b"N".to_vec(), net()), None, "ema", &["w"]);
    assert_eq!(checkpoint.warnings, [Warning::MovingAverage { path: vec!["ema".to_owned()] }]);
    check(&ultralytics(net(), b"N".to_vec()), None, "model", &["w"]);
    let plain = dict(&[("model", weights()), ("ema", weights()), ("updates", b"K\x05".to_vec())]);
    assert_eq!(check(&plain, None, "model", &["w"]).trainer, None);
    // One object under both names is no average alone.
    let shared = [b"}(Vema\n".as_slice(), &weights(), b"q\x07Vmodel\nh\x07u"].concat();
    assert_eq!(check(&shared, None, "model", &["w"]).warnings, []);
    assert_eq!(path(&shared).unwrap(), "ema");
    // Lightning's callback puts the average where the weights were.
    let lightning = dict(&[
        ("pytorch-lightning_version", b"V2.6.6\n".to_vec()),
        ("state_dict", weights()),
        ("current_model_state", weights()),
        ("hyper_parameters", dict(&[("model", weights())])),
    ]);
    let checkpoint = check(&lightning, None, "state_dict", &["w"]);
    assert_eq!(checkpoint.trainer.as_deref(), Some("Lightning 2.6.6"));
    assert!(matches!(checkpoint.warnings.as_slice(), [Warning::Averaged { .. }]));
    assert_eq!(path(&lightning).unwrap(), "state_dict");
}

#[test]
fn warnings_tell_what_is_no_whole_model() {
    let weights = || dict(&[("w", tensor())]);
    let adapter = dict(&[("base_model.model.q.lora_A.weight", tensor()), ("base_model.model.w", tensor())]);
    let checkpoint = open(&adapter, "little", None).unwrap();
    assert_eq!(checkpoint.warnings, [Warning::Adapter { tensors: 1, of: 2 }]);
    let size = |size: &[u8]| {
        let args = dict(&[("tensor_model_parallel_size", size.to_vec())]);
        let args = [b"cargparse\nNamespace\n)\x81".as_slice(), &args, b"b"].concat();
        let model = dict(&[("language_model", dict(&[("encoder", weights())]))]);
        let root = dict(&[("args", args), ("model", model)]);
        check(&root, None, "model", &["language_model.encoder.w"]).warnings
    };
    assert!(matches!(size(b"K\x02").as_slice(), [Warning::OneRank { ranks: 2, is_tensor: true, .. }]));
    assert_eq!(size(b"K\x01"), []);
    let deepspeed = |size: &[u8]| {
        let root =
            dict(&[("module", weights()), ("ds_version", b"N".to_vec()), ("mp_world_size", size.to_vec())]);
        check(&root, None, "module", &["w"]).warnings
    };
    assert!(matches!(deepspeed(b"K\x02").as_slice(), [Warning::OneRank { ranks: 2, is_tensor: true, .. }]));
    assert_eq!(deepspeed(b"K\x01"), []);
}

/// A module with parameters, buffers and submodules.
fn module(parameters: Vec<u8>, buffers: Vec<u8>, children: Vec<u8>) -> Vec<u8> {
    let state = dict(&[("_modules", children), ("_buffers", buffers), ("_parameters", parameters)]);
    [b"cmine\nNet\n)\x81".as_slice(), &state, b"b"].concat()
}

#[test]
fn modules_give_their_state_dict() {
    let weight = || dict(&[("w", tensor()), ("none", b"N".to_vec())]);
    let empty = || b"}".to_vec();
    let leaf = || module(weight(), dict(&[("mean", tensor())]), empty());
    let net = || {
        let children =
            dict(&[("act", module(empty(), empty(), empty())), ("fc", leaf()), ("no", b"N".to_vec())]);
        module(dict(&[("scale", tensor())]), dict(&[("mask", tensor())]), children)
    };
    let names = ["scale", "mask", "fc.w", "fc.mean"];
    let checkpoint = check(&net(), None, "", &names);
    let roles: Vec<Role> = checkpoint.tensors.iter().map(|tensor| tensor.role).collect();
    assert_eq!(roles, [Role::Parameter, Role::Buffer, Role::Parameter, Role::Buffer]);
    assert_eq!(checkpoint.warnings, []);
    check(&dict(&[("epoch", b"K\x05".to_vec()), ("model", net()), ("ema", net())]), None, "model", &names);
    check(&dict(&[("model", net())]), Some("model.fc"), "model/fc", &["w", "mean"]);
    check(
        &dict(&[("model", net())]),
        Some(""),
        "",
        &["model.scale", "model.mask", "model.fc.w", "model.fc.mean"],
    );
    check(&module(empty(), empty(), dict(&[("module", net())])), None, "", &names);
    check(&module(empty(), empty(), dict(&[("_orig_mod", net())])), None, "", &names);
    // One submodule under two names, by the memo.
    let shared = [b"}(Va\n".as_slice(), &leaf(), b"q\x07Vb\nh\x07u"].concat();
    let checkpoint = check(&module(empty(), empty(), shared), None, "", &["a.w", "a.mean", "b.w", "b.mean"]);
    assert_eq!(checkpoint.tensors[2].tied_to, Some(0));
    // Compiled modules and torch.fx's are made by calls.
    let compiled = [b"ctorch._dynamo.eval_frame\nOptimizedModule\n".as_slice(), &net(), b"N\x86R"].concat();
    check(&dict(&[("model", compiled)]), None, "model", &names);
    let state = dict(&[("_parameters", weight()), ("_buffers", empty()), ("_modules", empty())]);
    let fx = [b"ctorch.fx.graph_module\nreduce_graph_module\n".as_slice(), &state, b"V\n\x86R"].concat();
    check(&fx, None, "", &["w"]);
}

#[test]
fn what_modules_do_beside_is_told() {
    let empty = || b"}".to_vec();
    let weight = || dict(&[("w", tensor())]);
    let with = |more: &[(&str, Vec<u8>)]| {
        let parts = [
            ("_parameters", weight()),
            ("_buffers", dict(&[("kept", tensor()), ("left_out", tensor())])),
            ("_modules", empty()),
        ];
        [b"cmine\nNet\n)\x81".as_slice(), &dict(&[&parts[..], more].concat()), b"b"].concat()
    };
    for set in [b"c__builtin__\nset\n](Vleft_out\ne\x85R".as_slice(), b"\x8f(Vleft_out\n\x90"] {
        let module = with(&[("_non_persistent_buffers_set", set.to_vec())]);
        let checkpoint = check(&module, None, "", &["w", "kept", "left_out"]);
        let roles: Vec<Role> = checkpoint.tensors.iter().map(|tensor| tensor.role).collect();
        assert_eq!(roles, [Role::Parameter, Role::Buffer, Role::NonPersistentBuffer]);
    }
    let hooks = with(&[("_state_dict_hooks", dict(&[("0", b"N".to_vec())]))]);
    let checkpoint = check(&dict(&[("net", hooks)]), None, "net", &["w", "kept", "left_out"]);
    assert!(matches!(checkpoint.warnings.as_slice(), [Warning::StateDictHooks { modules: 1, .. }]));
    // A state that is no dictionary (`__getstate__`): an error when it holds tensors, a warning otherwise.
    let packed = |state: Vec<u8>| {
        let child = [b"cmine\nPacked\n)\x81".as_slice(), &state, b"b"].concat();
        open(&module(weight(), empty(), dict(&[("packed", child)])), "little", None)
    };
    let inside = packed([tensor(), b"N\x86".to_vec()].concat());
    assert!(matches!(inside, Err(ErrorKind::Tensor { key, .. }) if key.as_str() == "packed"));
    let told = packed(b"K\x05N\x86".to_vec()).unwrap();
    assert!(
        matches!(told.warnings.as_slice(), [Warning::NotATensor { key, .. }] if key.as_str() == "packed")
    );
    // A module that contains itself.
    let cyclic = [
        b"cmine\nNet\n)\x81q\x09".as_slice(),
        &dict(&[
            ("_parameters", weight()),
            ("_buffers", empty()),
            ("_modules", dict(&[("me", b"h\x09".to_vec())])),
        ]),
        b"b",
    ];
    let kind = open(&cyclic.concat(), "little", None);
    assert!(matches!(kind, Err(ErrorKind::ModuleInItself { module }) if module.as_str() == "me"));
}

#[test]
fn nothing_that_holds_tensors_is_left_out() {
    let list = |item: Vec<u8>| [b"](".as_slice(), &item, b"e"].concat();
    let object = |state: Vec<u8>| [b"cmine\nThing\n)\x81".as_slice(), &state, b"b"].concat();
    let refused = |value: Vec<u8>| {
        let root = dict(&[("w", tensor()), ("odd", value)]);
        match open(&root, "little", Some("")) {
            Err(ErrorKind::Tensor { key, reason: TensorError::Unsupported(kind), others }) => {
                assert_eq!(others.count, 0);
                assert_eq!(key.as_str(), "odd");
                kind
            }
            other => panic!("{other:?}"),
        }
    };
    let inside = |what: &str| UnsupportedTensor::Inside { what: what.to_owned() };
    assert_eq!(refused(object(dict(&[("data", tensor())]))), inside("mine.Thing object"));
    let deep = list(object(dict(&[("data", tensor())])));
    let root = dict(&[("w", tensor()), ("odd", deep)]);
    assert!(
        matches!(open(&root, "little", Some("")), Err(ErrorKind::Tensor { key, .. }) if key.as_str() == "odd.0")
    );
    // Lists, dictionaries and modules are part of it.
    let read = |value: Vec<u8>, keys: &[&str]| {
        check(&dict(&[("w", tensor()), ("odd", value)]), Some(""), "", &[&["w"], keys].concat());
    };
    read(list(tensor()), &["odd.0"]);
    read([tensor(), vec![0x85]].concat(), &["odd.0"]);
    read(list(dict(&[("w", tensor())])), &["odd.0.w"]);
    read(module(dict(&[("v", tensor())]), b"}".to_vec(), b"}".to_vec()), &["odd.v"]);
    // Integers are keys as well, in digits.
    let by_number = [b"}(Vw\n".as_slice(), &tensor(), b"K\x03", &tensor(), b"u"].concat();
    check(&by_number, None, "", &["w", "3"]);
    let twice = [b"}(V3\n".as_slice(), &tensor(), b"K\x03", &tensor(), b"u"].concat();
    assert!(matches!(open(&twice, "little", None), Err(ErrorKind::SameKey { .. })));
    let by_none = [b"}(Vw\n".as_slice(), &tensor(), b"N", &tensor(), b"u"].concat();
    assert!(matches!(open(&by_none, "little", None), Err(ErrorKind::TensorKey { what }) if what == "None"));
}

#[test]
fn what_is_beside_the_tensors_is_reported() {
    let root = dict(&[("module.w", tensor()), ("module.n", b"K\x05".to_vec()), ("module.v", tensor())]);
    let checkpoint = check(&root, None, "", &["w", "v"]);
    assert_eq!(checkpoint.stripped, ["module."]);
    assert_eq!(checkpoint.tensors[1].tied_to, Some(0));
    assert!(
        matches!(checkpoint.warnings.as_slice(), [Warning::NotATensor { key, .. }] if key.as_str() == "module.n")
    );
    let ema = check(&dict(&[("ema", dict(&[("w", tensor())]))]), None, "ema", &["w"]);
    assert!(matches!(ema.warnings.as_slice(), [Warning::MovingAverage { .. }]));
    let collision = dict(&[("a._orig_mod.w", tensor()), ("a.w", tensor())]);
    assert!(matches!(open(&collision, "little", None), Err(ErrorKind::SameKey { .. })));
    let packed = check(
        &dict(&[("w", tensor()), ("packed", [tensor(), b"N\x86".to_vec()].concat())]),
        None,
        "",
        &["w", "packed.0"],
    );
    assert!(
        matches!(packed.warnings.as_slice(), [Warning::NotATensor { key, .. }] if key.as_str() == "packed.1")
    );
}

#[test]
fn big_endian_storages_are_marked() {
    let checkpoint = open(&dict(&[("w", tensor())]), "big", None).unwrap();
    assert_eq!(checkpoint.tensors[0].tensor.byte_order, ByteOrder::Big);
}
