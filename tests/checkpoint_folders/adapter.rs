//! What PEFT keeps beside a checkpoint.

use insta::assert_snapshot;
use ptw2k::checkpoint::{AdapterConfig, AdapterConfigError, ErrorKind};

use crate::made::{folder, open, safetensors};

const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "model.safetensors";
const TEXT: &[u8] = br#"{"peft_type": "LORA", "r": 3, "lora_alpha": 7, "use_rslora": true}"#;

/// A state_dict of PEFT's model: a weight, and the adapter that changes it.
fn adapted() -> Vec<u8> {
    let tensors: [(&str, &[usize], f32); 3] = [
        ("m.q.base_layer.weight", &[5, 2], 1.0),
        ("m.q.lora_A.default.weight", &[3, 2], 2.0),
        ("m.q.lora_B.default.weight", &[5, 3], 3.0),
    ];
    safetensors(&tensors, None)
}

fn with(weights: &[u8], config: &[u8]) -> Result<Option<AdapterConfig>, ErrorKind> {
    open(folder(&[(WEIGHTS, weights), (CONFIG, config)]).path()).map(|checkpoint| checkpoint.adapter)
}

#[test]
fn is_read_beside_adapted_weights() {
    let folder = folder(&[(WEIGHTS, &adapted()), (CONFIG, TEXT)]);
    for path in [folder.path().to_owned(), folder.path().join(WEIGHTS)] {
        let checkpoint = open(&path).unwrap();
        assert_eq!(checkpoint.files, [WEIGHTS, CONFIG].map(|name| folder.path().join(name)));
        let found = checkpoint.adapter.unwrap();
        assert_eq!((found.alpha, found.rank, found.by_root), (7.0, 3, true));
        assert_eq!(found.path, folder.path().join(CONFIG));
    }
    std::fs::remove_file(folder.path().join(CONFIG)).unwrap();
    assert_eq!(open(folder.path()).unwrap().adapter, None);
}

/// Nothing is merged of an adapter alone, and nothing else asks for the file.
#[test]
fn is_not_read_beside_others() {
    let adapter =
        safetensors(&[("m.q.lora_A.weight", &[3, 2], 2.0), ("m.q.lora_B.weight", &[5, 3], 3.0)], None);
    let plain = safetensors(&[("m.q.weight", &[5, 2], 1.0)], None);
    for weights in [adapter, plain] {
        assert_eq!(with(&weights, b"no JSON").unwrap(), None);
    }
}

#[test]
fn what_cannot_be_read() {
    let reason = |config: &[u8]| match with(&adapted(), config) {
        Err(error @ ErrorKind::AdapterConfig(_)) => error.to_string(),
        other => panic!("{other:?}"),
    };
    assert_snapshot!(reason(b"no JSON"), @"adapter_config.json beside it, which says how the adapters in it are merged, cannot be read: expected ident at line 1 column 2; mend it, or move it away and say `lora = { alpha = 16 }` in the schema's [source]");
    assert_snapshot!(reason(br#"{"peft_type": "IA3"}"#), @r#"adapter_config.json beside it, which says how the adapters in it are merged, cannot be read: its `peft_type` is "IA3", and the checkpoint's tensors are those of "LORA"; mend it, or move it away and say `lora = { alpha = 16 }` in the schema's [source]"#);
    assert_snapshot!(reason(br#"{"peft_type": "LORA", "r": 3}"#), @"adapter_config.json beside it, which says how the adapters in it are merged, cannot be read: it has no `lora_alpha`; mend it, or move it away and say `lora = { alpha = 16 }` in the schema's [source]");
    assert_snapshot!(reason(br#"{"peft_type": "LORA", "r": 3, "r": 4}"#), @"adapter_config.json beside it, which says how the adapters in it are merged, cannot be read: duplicate field `r` at line 1 column 33; mend it, or move it away and say `lora = { alpha = 16 }` in the schema's [source]");
    assert_snapshot!(reason(br#"{"peft_type": "LORA", "r": 2.5, "lora_alpha": 7}"#), @"adapter_config.json beside it, which says how the adapters in it are merged, cannot be read: invalid type: floating point `2.5`, expected usize at line 1 column 30; mend it, or move it away and say `lora = { alpha = 16 }` in the schema's [source]");
    assert_snapshot!(reason(br#"{"peft_type": "LORA", "r": 0, "lora_alpha": 7}"#), @"adapter_config.json beside it, which says how the adapters in it are merged, cannot be read: its `r` has a rank of 0; mend it, or move it away and say `lora = { alpha = 16 }` in the schema's [source]");
    assert_snapshot!(reason(br#"{"peft_type": "LORA", "r": 3, "lora_alpha": 7, "rank_pattern": {"q": 0}}"#), @"adapter_config.json beside it, which says how the adapters in it are merged, cannot be read: its `rank_pattern` has a rank of 0; mend it, or move it away and say `lora = { alpha = 16 }` in the schema's [source]");
    assert_snapshot!(reason(br#"{"peft_type": "LORA", "r": 3, "lora_alpha": 7, "use_rslora": 1}"#), @"adapter_config.json beside it, which says how the adapters in it are merged, cannot be read: invalid type: integer `1`, expected a boolean at line 1 column 62; mend it, or move it away and say `lora = { alpha = 16 }` in the schema's [source]");
    assert_snapshot!(reason(&vec![b' '; (1 << 20) + 1]), @"adapter_config.json beside it, which says how the adapters in it are merged, cannot be read: it has 1048577 bytes, more than the 1048576 that are read; mend it, or move it away and say `lora = { alpha = 16 }` in the schema's [source]");
    let folder = folder(&[(WEIGHTS, &adapted())]);
    std::fs::create_dir(folder.path().join(CONFIG)).unwrap();
    let found = open(folder.path()).map(|checkpoint| checkpoint.adapter);
    assert!(matches!(found, Err(ErrorKind::AdapterConfig(AdapterConfigError::NotAFile))), "{found:?}");
}

#[test]
fn all_that_it_says() {
    let read = |more: &str| {
        let text = format!(r#"{{"peft_type": "LORA", "r": 3, "lora_alpha": 7.5, {more}}}"#);
        let mut found = with(&adapted(), text.as_bytes()).unwrap().unwrap();
        found.path = CONFIG.into();
        format!("{found:?}")
    };
    assert_snapshot!(read(r#""fan_in_fan_out": true, "alpha_pattern": {"b": 1.5, "a": 2}, "rank_pattern": {"q": 5}"#), @r#"AdapterConfig { path: "adapter_config.json", alpha: 7.5, rank: 3, by_root: false, transposed: true, alpha_pattern: [("b", 1.5), ("a", 2.0)], rank_pattern: [("q", 5)], variant: None }"#);
    assert_snapshot!(read(r#""use_rslora": null, "rank_pattern": null, "kasa_config": {}, "lora_bias": false"#), @r#"AdapterConfig { path: "adapter_config.json", alpha: 7.5, rank: 3, by_root: false, transposed: false, alpha_pattern: [], rank_pattern: [], variant: None }"#);
    assert_snapshot!(read(r#""use_dora": true"#), @r#"AdapterConfig { path: "adapter_config.json", alpha: 7.5, rank: 3, by_root: false, transposed: false, alpha_pattern: [], rank_pattern: [], variant: Some("use_dora") }"#);
    assert_snapshot!(read(r#""alora_invocation_tokens": [5]"#), @r#"AdapterConfig { path: "adapter_config.json", alpha: 7.5, rank: 3, by_root: false, transposed: false, alpha_pattern: [], rank_pattern: [], variant: Some("alora_invocation_tokens") }"#);
}
