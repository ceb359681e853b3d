//! The schemas that are part of the binary.

use super::error::Error;
use super::reader::near;

/// A bundled schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bundled {
    /// Its name: the path under `schemas/` without `.toml`.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

impl Bundled {
    /// Its `about`: the line that says what it is for.
    #[must_use]
    pub fn about(&self) -> &'static str {
        let mut lines = self.text.lines().filter_map(|line| line.strip_prefix("about = \""));
        lines.next().and_then(|rest| rest.strip_suffix('"')).unwrap_or_default()
    }
}

/// The rules of the Keras classes.
pub(super) const LAYERS: &str = include_str!("../../schemas/layers.toml");

macro_rules! bundled {
    ($($name:literal),* $(,)?) => {
        &[$(Bundled { name: $name, text: include_str!(concat!("../../schemas/", $name, ".toml")) }),*]
    };
}

/// Every file in `schemas/` and its folders but the classes, by name.
const SCHEMAS: &[Bundled] = bundled![
    "kerashub/albert",
    "kerashub/bart",
    "kerashub/bert",
    "kerashub/deit",
    "kerashub/densenet",
    "kerashub/distilbert",
    "kerashub/efficientnet",
    "kerashub/efficientnet_v2",
    "kerashub/gemma",
    "kerashub/gemma2",
    "kerashub/gpt2",
    "kerashub/llama3",
    "kerashub/mistral",
    "kerashub/mixtral",
    "kerashub/mobilenetv3",
    "kerashub/qwen2",
    "kerashub/qwen_moe",
    "kerashub/resnet",
    "kerashub/roberta",
    "kerashub/swin",
    "kerashub/vgg",
    "kerashub/vit",
    "same-names",
    "torchvision/alexnet",
    "torchvision/convnext",
    "torchvision/densenet",
    "torchvision/densenet121",
    "torchvision/efficientnet",
    "torchvision/googlenet",
    "torchvision/inception_v3",
    "torchvision/keras_convnext",
    "torchvision/keras_efficientnet",
    "torchvision/keras_efficientnet_v2",
    "torchvision/keras_inception_v3",
    "torchvision/keras_mobilenet_v2",
    "torchvision/keras_mobilenet_v3_large",
    "torchvision/keras_mobilenet_v3_small",
    "torchvision/mnasnet",
    "torchvision/mobilenet_v2",
    "torchvision/mobilenet_v3",
    "torchvision/regnet",
    "torchvision/resnet",
    "torchvision/shufflenet_v2",
    "torchvision/squeezenet",
    "torchvision/swin",
    "torchvision/swin_v2",
    "torchvision/vgg",
    "torchvision/vgg16",
    "torchvision/vision_transformer",
];

/// The one of that name.
pub(crate) fn find(name: &str) -> Result<Bundled, Error> {
    let names = || SCHEMAS.iter().map(|bundled| bundled.name);
    SCHEMAS.iter().find(|bundled| bundled.name == name).copied().ok_or_else(|| {
        // `resnet` for `torchvision/resnet`.
        let mut candidates: Vec<&str> =
            names().filter(|full| full.rsplit('/').next() == Some(name)).collect();
        if candidates.is_empty() {
            candidates.extend(near(name, names()));
        }
        Error::Unknown { name: name.to_owned(), near: candidates }
    })
}

/// The bundled schemas, sorted by name.
#[must_use]
pub const fn names() -> &'static [Bundled] {
    SCHEMAS
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::super::Schema;
    use super::*;

    /// The schemas in a folder and its folders.
    fn files(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files(&path, found);
            } else if path.extension().is_some_and(|end| end == "toml") && !path.ends_with("layers.toml") {
                found.push(path.with_extension(""));
            }
        }
    }

    #[test]
    fn every_schema_is_listed_and_valid() {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/schemas"));
        let mut found = Vec::new();
        files(root, &mut found);
        let mut found: Vec<&str> =
            found.iter().map(|path| path.strip_prefix(root).unwrap().to_str().unwrap()).collect();
        found.sort_unstable();
        assert_eq!(SCHEMAS.iter().map(|bundled| bundled.name).collect::<Vec<_>>(), found);
        for bundled in SCHEMAS {
            let schema = Schema::bundled(bundled.name).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(schema.name.as_deref(), Some(bundled.name));
            assert_eq!(schema.about.as_deref(), Some(bundled.about()));
            assert!(!bundled.about().is_empty(), "{}", bundled.name);
        }
    }
}
