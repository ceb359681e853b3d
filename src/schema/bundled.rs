//! The schemas that are part of the binary.

use super::error::Error;
use super::reader::near;

/// A bundled schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bundled {
    /// Its name: the path under `schemas/` without `.toml`.
    pub name: &'static str,
    /// Its `about` line.
    pub about: &'static str,
    /// Its text.
    pub text: &'static str,
}

/// The rules of the Keras classes.
pub(super) const LAYERS: &str = include_str!("../../schemas/layers.toml");

/// Every file in a folder of `schemas/`, by name.
const SCHEMAS: &[Bundled] = &[
    Bundled {
        name: "torchvision/densenet121",
        about: "torchvision densenet121 to keras.applications.DenseNet121",
        text: include_str!("../../schemas/torchvision/densenet121.toml"),
    },
    Bundled {
        name: "torchvision/mobilenet_v2",
        about: "torchvision MobileNetV2 to a Keras mirror with layers named like block1_depthwise_conv",
        text: include_str!("../../schemas/torchvision/mobilenet_v2.toml"),
    },
    Bundled {
        name: "torchvision/resnet",
        about: "torchvision ResNet to a Keras mirror with layers named like layer1_0_conv1",
        text: include_str!("../../schemas/torchvision/resnet.toml"),
    },
    Bundled {
        name: "torchvision/vgg16",
        about: "torchvision vgg16 to keras.applications.VGG16",
        text: include_str!("../../schemas/torchvision/vgg16.toml"),
    },
];

/// The one of that name.
pub(super) fn find(name: &str) -> Result<Bundled, Error> {
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
    use std::path::Path;

    use super::super::Schema;
    use super::*;

    #[test]
    fn every_schema_is_listed_and_valid() {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/schemas"));
        let mut found = Vec::new();
        for folder in std::fs::read_dir(root).unwrap() {
            let folder = folder.unwrap().path();
            if !folder.is_dir() {
                continue;
            }
            for file in std::fs::read_dir(&folder).unwrap() {
                let path = file.unwrap().path().with_extension("");
                found.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
        found.sort();
        assert_eq!(SCHEMAS.iter().map(|bundled| bundled.name).collect::<Vec<_>>(), found);
        for name in found {
            let schema = Schema::bundled(&name).unwrap_or_else(|error| panic!("{error}"));
            let bundled = SCHEMAS.iter().find(|bundled| bundled.name == name).unwrap();
            assert_eq!(schema.name.as_deref(), Some(bundled.name));
            assert_eq!(schema.about.as_deref(), Some(bundled.about));
        }
    }
}
