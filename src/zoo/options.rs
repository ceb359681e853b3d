//! The options of a job, decided: for its conversion, and for its record.

use serde_json::{Map, Value as Json, json};

use super::settings::Settings;
use crate::checkpoint::Quantized;
use crate::convert::{Conversion, Saved};

/// The options of a job besides its files.
#[derive(Debug, Clone, Default)]
pub(super) struct Options {
    settings: Settings,
    /// Which state_dict.
    key: Option<String>,
}

impl Options {
    pub(super) const fn new(settings: Settings, key: Option<String>) -> Self {
        Self { settings, key }
    }

    /// Tells them to the conversion.
    pub(super) fn apply(&self, conversion: &mut Conversion) {
        let Settings {
            schema: _,
            arch: _,
            output: _,
            key: _,
            ema,
            quantized,
            dtype,
            keras,
            save,
            max_shard_bytes,
            optimizer,
            allow_missing,
            allow_unexpected,
            allow_overflow,
        } = self.settings.clone();
        let reading = &mut conversion.source.reading;
        reading.key.clone_from(&self.key);
        reading.ema = ema.unwrap_or(false);
        reading.quantized = quantized.unwrap_or(reading.quantized);
        conversion.dtype = dtype;
        conversion.keras = keras;
        conversion.save = save;
        conversion.max_shard_bytes = max_shard_bytes;
        conversion.optimizer = optimizer.unwrap_or(false);
        conversion.allow_missing = allow_missing.unwrap_or_default();
        conversion.allow_unexpected = allow_unexpected.unwrap_or_default();
        conversion.allow_overflow = allow_overflow.unwrap_or(false);
    }

    /// Those that differ from the program's defaults, by the names of the command line.
    pub(super) fn to_json(&self) -> Map<String, Json> {
        let settings = &self.settings;
        let globs = |globs: &Option<Vec<crate::schema::Glob>>| {
            let texts: Vec<&str> = globs.iter().flatten().map(|glob| glob.text.as_str()).collect();
            (!texts.is_empty()).then(|| json!(texts))
        };
        let yes = |option: Option<bool>| option.filter(|&is_set| is_set).map(Json::from);
        let all = [
            ("key", self.key.clone().map(Json::from)),
            ("ema", yes(settings.ema)),
            ("quantized", settings.quantized.filter(|&how| how == Quantized::Keep).map(|_| json!("keep"))),
            ("dtype", settings.dtype.map(|dtype| json!(dtype.name()))),
            ("keras", settings.keras.map(|version| json!(version.to_string()))),
            (
                "save",
                settings.save.map(|saved| match saved {
                    Saved::Model => json!("model"),
                    Saved::Weights => json!("weights"),
                }),
            ),
            ("max-shard-size", settings.max_shard_bytes.map(Json::from)),
            ("optimizer", yes(settings.optimizer)),
            ("allow-missing", globs(&settings.allow_missing)),
            ("allow-unexpected", globs(&settings.allow_unexpected)),
            ("allow-overflow", yes(settings.allow_overflow)),
        ];
        all.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
    }
}
