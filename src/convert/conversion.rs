//! A conversion as it is asked for.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::error::ConvertError;
use super::form::{Saved, Wanted};
use super::planned::{Planned, Report};
use super::progress::Progress;
use super::seen::Seen;
use super::source::Source;
use crate::crew::{Hands, beside};
use crate::keras::file_layout::KerasVersion;
use crate::keras::{Architecture, Variable};
use crate::plan::PlanOptions;
use crate::schema::{Glob, Schema};
use crate::tensor::Dtype;
use crate::writer::{self, Outline, WriteOptions};

/// Variables whose output is laid out beside the planning: a thousand take a millisecond or two, a thread begins in a
/// twentieth of one.
const MANY_VARIABLES: usize = 1000;

/// A conversion as it is asked for. [`Conversion::new`] decides nothing that can be left open; the fields decide
/// the rest.
///
/// ```
/// use ptw2k::convert::{Conversion, ConvertError};
/// use ptw2k::tensor::Dtype;
///
/// let mut conversion = Conversion::new("testdata/mnist/weights.pt", "same-names", "mnist.keras");
/// conversion.source.architecture = Some("testdata/mnist/arch.json".into());
/// conversion.dtype = Some(Dtype::F16);
/// // Nothing is written until `write`.
/// let planned = conversion.plan(&())?;
/// assert_eq!(planned.plan.bindings.len(), 8);
/// assert_eq!(planned.bytes(), 20_358);
/// # Ok::<(), ConvertError>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Conversion {
    /// What is converted.
    pub source: Source,
    /// The file to write. Its name decides the format, as in Keras: `.weights.h5`, `.weights.json` (in shards),
    /// `.keras`, or `.h5`.
    pub output: PathBuf,
    /// What an `.h5` holds; by default the whole model where the architecture's file is a whole-model `.h5`.
    pub save: Option<Saved>,
    /// The Keras that is to read the file; by default what made the architecture.
    pub keras: Option<KerasVersion>,
    /// The element type of floating-point variables; by default the architecture's.
    pub dtype: Option<Dtype>,
    /// Whether the optimizer's state is carried over from the architecture's file.
    pub optimizer: bool,
    /// The most bytes of variables in a shard; by default Keras' own.
    pub max_shard_bytes: Option<u64>,
    /// Variables that may stay without a value.
    pub allow_missing: Vec<Glob>,
    /// Tensors that may stay without a use.
    pub allow_unexpected: Vec<Glob>,
    /// Whether a finite value that is too large for its type becomes an infinity; an error otherwise.
    pub allow_overflow: bool,
    /// Worker threads; by default one for each core. The output does not depend on it.
    pub threads: Option<NonZeroUsize>,
}

/// Converts: [`Conversion::plan`], then [`Planned::write`].
///
/// # Errors
/// When an input cannot be read, the plan has faults, the output cannot be written, or it is stopped. What
/// stood in the output's place is then untouched.
pub fn convert(conversion: &Conversion, progress: &dyn Progress) -> Result<Report, ConvertError> {
    conversion.plan(progress)?.write(progress)
}

impl Conversion {
    /// That checkpoint by that schema into that file, for the architecture that the schema names.
    #[must_use]
    pub fn new(
        checkpoint: impl Into<PathBuf>,
        schema: impl Into<PathBuf>,
        output: impl Into<PathBuf>,
    ) -> Self {
        Self {
            source: Source::new(checkpoint, schema),
            output: output.into(),
            save: None,
            keras: None,
            dtype: None,
            optimizer: false,
            max_shard_bytes: None,
            allow_missing: Vec::new(),
            allow_unexpected: Vec::new(),
            allow_overflow: false,
            threads: None,
        }
    }

    /// Finds what the fields alone say: that the output's name stands for a format, and that it and the options go
    /// together. Reads nothing; [`Self::plan`] begins with it.
    ///
    /// # Errors
    /// When the output's name says no form, or another than the options.
    pub fn check(&self) -> Result<(), ConvertError> {
        Wanted::new(self).map(drop)
    }

    /// Reads everything but the values, and decides where each goes; where there are many variables, the output is laid
    /// out meanwhile. Writes nothing.
    ///
    /// # Errors
    /// When an input cannot be read or is the output, the output's name says no form, or the plan has faults.
    pub fn plan(&self, progress: &dyn Progress) -> Result<Planned, ConvertError> {
        self.plan_by(None, progress)
    }

    /// The same by a schema that was read already: many conversions can have one.
    ///
    /// # Errors
    /// As [`Self::plan`].
    pub fn plan_by(
        &self,
        schema: Option<Arc<Schema>>,
        progress: &dyn Progress,
    ) -> Result<Planned, ConvertError> {
        let wanted = Wanted::new(self)?;
        let Source { checkpoint, schema: named, architecture, .. } = &self.source;
        let named = || [checkpoint, named].into_iter().chain(architecture);
        self.refuse(named().map(PathBuf::as_path))?;
        let mut seen = Seen::default();
        named().filter(|path| path.is_file()).for_each(|path| seen.add(path));
        // Who is in a crew has one place there.
        let threads = progress.crew().map_or(self.threads, |_| Some(NonZeroUsize::MIN));
        let opened = match schema {
            Some(schema) => self.source.open_by(schema, progress)?,
            None if Hands::own(threads).are_several() => self.source.open(progress)?,
            None => self.source.open_by(Arc::new(Schema::load(&self.source.schema)?), progress)?,
        };
        if progress.is_cancelled() {
            return Err(ConvertError::Cancelled { path: self.output.clone() });
        }
        let inputs = opened.inputs();
        inputs.iter().for_each(|path| seen.add(path));
        self.refuse(inputs.iter().map(PathBuf::as_path))?;

        let form = wanted.of(&opened.architecture);
        let options = PlanOptions {
            dtype: self.dtype,
            form: form.clone(),
            allow_missing: self.allow_missing.clone(),
            allow_unexpected: self.allow_unexpected.clone(),
            explain: false,
            threads,
        };
        let warnings = opened.checkpoint.warnings.clone();
        let architecture = Arc::clone(&opened.architecture);
        let (outline, plan) = self.outline_beside(&architecture, &options, || opened.plan(&options));
        Ok(Planned {
            checkpoint: self.source.checkpoint.clone(),
            output: self.output.clone(),
            inputs,
            seen,
            warnings,
            plan: plan?,
            options: WriteOptions {
                form,
                threads: self.threads.map(NonZeroUsize::get),
                allow_overflow: self.allow_overflow,
            },
            outline: Mutex::new(outline.map(Arc::new)),
        })
    }

    /// Plans, and meanwhile lays the output out, where that is worth a thread. It is laid out as if no variable were left
    /// out; whoever writes looks whether that is what the plan says. `None` also where it fails: then whatever fails will
    /// again, and be told.
    fn outline_beside<T>(
        &self,
        architecture: &Arc<Architecture>,
        options: &PlanOptions,
        plan: impl FnOnce() -> T,
    ) -> (Option<Outline>, T) {
        let variables = &architecture.variables;
        let is_worth = variables.len() >= MANY_VARIABLES && Hands::own(options.threads).are_several();
        let outline = || self.complete_outline(architecture, options);
        let (outline, planned) = beside(is_worth, outline, plan);
        (outline.and_then(Result::ok), planned)
    }

    /// The output of a plan that leaves no variable out.
    pub(super) fn complete_outline(
        &self,
        architecture: &Arc<Architecture>,
        options: &PlanOptions,
    ) -> Result<Outline, writer::Error> {
        let dtype = |variable: &Variable| Some(options.stored_dtype(architecture, variable.dtype));
        let written = architecture.variables.iter().map(dtype).collect();
        Outline::new(Arc::clone(architecture), written, &self.output, &options.form)
    }

    /// Refuses to write over an input, by whatever name. An input that is not there is for its reader to name.
    fn refuse<'a>(&self, inputs: impl Iterator<Item = &'a Path>) -> Result<(), ConvertError> {
        for input in inputs.filter(|input| input.exists()) {
            writer::check_not_input(&self.output, input)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keras::file_layout::Form;

    /// What is laid out before a plan is known is that of the plan, in every form and type, unless it leaves something out.
    #[test]
    fn the_outline_of_a_complete_plan() {
        let folder = tempfile::tempdir().unwrap();
        let part = folder.path().join("part.toml");
        let rule = "[[layer]]\ntorch = '{name:conv1|conv2|fc1}'\nkeras = '{name}'\n";
        std::fs::write(&part, format!("schema = 1\n{rule}")).unwrap();
        let check = |output: &str, dtype: Option<Dtype>, waived: Option<&str>| {
            let schema = if waived.is_some() { part.as_path() } else { Path::new("same-names") };
            let mut conversion = Conversion::new("testdata/mnist/weights.pt", schema, output);
            conversion.source.architecture = Some("testdata/mnist/arch.json".into());
            conversion.dtype = dtype;
            conversion.allow_missing = waived.into_iter().map(|glob| Glob::new(glob).unwrap()).collect();
            conversion.allow_unexpected = vec![Glob::new("fc2.*").unwrap()];
            let planned = conversion.plan(&()).unwrap();
            let form: &Form = &planned.options.form;
            let options = PlanOptions { dtype, form: form.clone(), ..PlanOptions::default() };
            let outline = conversion.complete_outline(&planned.plan.architecture, &options).unwrap();
            assert_eq!(
                outline.is_of(&planned.plan, &planned.output, form),
                waived.is_none(),
                "{output} {dtype:?}"
            );
        };
        for output in ["a.weights.h5", "a.h5", "a.keras", "a.weights.json"] {
            check(output, None, None);
            check(output, Some(Dtype::F16), None);
        }
        check("a.keras", Some(Dtype::Bf16), None);
        check("a.weights.h5", None, Some("fc2/*"));
    }
}
