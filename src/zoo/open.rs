//! From a manifest to its jobs.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::Spanned;

use super::check::check;
use super::error::{Error, Fault, FaultKind};
use super::folder;
use super::glob::{Match, PathGlob, Unreadable};
use super::job::{Job, Named};
use super::manifest::{Entry, Manifest};
use super::options::Options;
use super::settings::Settings;
use super::template::{TemplateError, Words, fill};
use crate::convert::{ConvertError, Saved};
use crate::schema::{Position, Schema, SourceFile, bundled};

/// The most jobs of a zoo. Whoever has more of them has several manifests.
const MAX_JOBS: usize = 100_000;

/// What the output is called where nobody says: as in the conversion of a single checkpoint.
const DEFAULT_OUTPUT: &str = "{stem}.weights.h5";

/// A manifest whose jobs can run.
#[derive(Debug)]
pub struct Zoo {
    /// The manifest.
    pub path: PathBuf,
    /// The jobs, in the order of the manifest, those of a glob by their paths.
    pub jobs: Vec<Job>,
}

impl Zoo {
    /// Reads a manifest, finds its jobs, and checks that they go together.
    ///
    /// # Errors
    /// When the manifest cannot be read or is not valid; when a checkpoint, a schema or an architecture is missing;
    /// when two jobs have one output, or an output is also an input. All of it is reported together.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let (manifest, faults) = Manifest::open(path)?;
        let base = path.parent().unwrap_or(Path::new("")).to_owned();
        let mut reading = Reading { base, file: Arc::clone(&manifest.file), faults, schemas: HashMap::new() };
        if manifest.entries.is_empty() && reading.faults.is_empty() {
            reading.add(0..0, FaultKind::NoJobs);
        }
        let mut jobs = Vec::new();
        for entry in &manifest.entries {
            jobs.extend(reading.expand(entry));
            if jobs.len() > MAX_JOBS {
                reading.add(entry.checkpoint.span(), FaultKind::TooManyJobs { limit: MAX_JOBS });
                break;
            }
        }
        let Reading { faults, file, .. } = reading;
        let mut faults = check(path, &jobs, faults);
        if faults.is_empty() {
            return Ok(Self { path: path.to_owned(), jobs });
        }
        faults.sort_by_key(|fault| fault.position.span.start);
        // What the defaults say, or a glob's job, is wrong in the same way for many.
        let mut told = HashSet::new();
        faults.retain(|fault| told.insert((fault.position.span.start, fault.to_string())));
        Err(Error::Invalid { file, faults })
    }
}

struct Reading {
    base: PathBuf,
    file: Arc<SourceFile>,
    faults: Vec<Fault>,
    /// What each schema names as the architecture; `None` where the schema cannot be read.
    schemas: HashMap<PathBuf, Option<Option<PathBuf>>>,
}

impl Reading {
    fn position(&self, span: std::ops::Range<usize>) -> Position {
        Position { file: Arc::clone(&self.file), span }
    }

    fn add(&mut self, span: std::ops::Range<usize>, kind: FaultKind) {
        let position = self.position(span);
        self.faults.push(Fault::new(position, kind));
    }

    /// The jobs of an entry.
    fn expand(&mut self, entry: &Entry) -> Vec<Job> {
        let (text, span) = (entry.checkpoint.get_ref(), entry.checkpoint.span());
        let glob = match PathGlob::new(text) {
            Ok(glob) => glob,
            Err(error) => {
                self.add(span, error.into());
                return Vec::new();
            }
        };
        let found = if glob.is_glob() {
            match glob.find(&self.base) {
                Ok(found) => found,
                Err(Unreadable { folder, source }) => {
                    self.add(span, FaultKind::Folder { folder, source });
                    return Vec::new();
                }
            }
        } else {
            vec![Match { path: PathBuf::from(text), captures: Vec::new() }]
        };
        if found.is_empty() {
            let kind = FaultKind::NoMatch { glob: text.clone() };
            let help = if self.base.join(text).exists() {
                format!("to name the file `{text}` itself, write `{}`", literal(text))
            } else {
                format!("it is looked for in {}", shown(&self.base))
            };
            self.faults.push(Fault::new(self.position(span), kind).with_help(help));
        }
        // What is wrong with a template is wrong for all of them.
        let mut jobs = Vec::with_capacity(found.len());
        for found in found {
            let before = self.faults.len();
            jobs.extend(self.job(entry, &found));
            if self.faults[before..].iter().any(|fault| matches!(fault.kind, FaultKind::Template(_))) {
                break;
            }
        }
        jobs
    }

    fn job(&mut self, entry: &Entry, found: &Match) -> Option<Job> {
        let base = self.base.clone();
        let words = Words { path: &found.path, base: &base, captures: &found.captures };
        let checkpoint = base.join(&found.path);
        let settings = &entry.settings;
        let position = self.position(entry.checkpoint.span());
        if !checkpoint.exists() {
            let mut fault =
                Fault::new(position.clone(), FaultKind::NoCheckpoint { path: checkpoint.clone() });
            if checkpoint.is_symlink() {
                fault = fault.with_help("it is a link to a file that is not there");
            }
            self.faults.push(fault);
        }
        let made = |this: &mut Self, text: &Option<Spanned<String>>| match text {
            Some(text) => this.made(text, &words).map(Some),
            None => Some(None),
        };
        let (schema, arch) = (made(self, &settings.schema), made(self, &settings.arch));
        let (output, key) = (made(self, &settings.output), made(self, &settings.key));
        let (schema, arch, output, key) = (schema?, arch?, output?, key?);
        let output_position = settings
            .output
            .as_ref()
            .map_or_else(|| entry.position.clone(), |text| self.position(text.span()));
        let name = match output {
            Some(output) => output,
            None => match fill(DEFAULT_OUTPUT, &words) {
                Ok(name) => name,
                Err(error) => {
                    self.add(entry.checkpoint.span(), error.into());
                    return None;
                }
            },
        };
        let schema = self.schema(&schema?, settings, &checkpoint)?;
        let architecture = self.architecture(arch, &schema, entry, &checkpoint);
        let job = Job {
            output: base.join(&name),
            name,
            bytes: folder::byte_len(&checkpoint),
            checkpoint,
            schema,
            architecture,
            options: Options::new(settings.clone(), key),
            position,
            output_position,
            base,
        };
        if let Err(error) = job.conversion().check() {
            let help = output_help(&error);
            let kind = FaultKind::Output(Box::new(error));
            let fault = Fault::new(job.output_position.clone(), kind);
            self.faults.push(match help {
                Some(help) => fault.with_help(help),
                None => fault,
            });
        }
        Some(job)
    }

    fn made(&mut self, text: &Spanned<String>, words: &Words<'_>) -> Option<String> {
        match fill(text.get_ref(), words) {
            Ok(made) => Some(made),
            Err(error) => {
                let mut fault = Fault::new(self.position(text.span()), FaultKind::Template(error.clone()));
                if let TemplateError::NoCapture { .. } = error {
                    fault = fault.with_help("the wildcards are counted from 1: `*`, `?`, `[…]` and `**`");
                }
                self.faults.push(fault);
                None
            }
        }
    }

    /// The schema of that name, as `--schema` finds it, but beside the manifest.
    fn schema(&mut self, name: &str, settings: &Settings, checkpoint: &Path) -> Option<Named> {
        let path = self.base.join(name);
        if path.is_file() {
            return Some(Named::File(path));
        }
        let is_file = path.extension().is_some_and(|extension| extension == "toml");
        let known = if is_file { None } else { Some(bundled::find(name)) };
        let help = match known {
            Some(Ok(_)) => return Some(Named::Bundled(name.to_owned())),
            Some(Err(crate::schema::Error::Unknown { near, .. })) if !near.is_empty() => {
                format!("did you mean `{}`?", near.join("` or `"))
            }
            Some(Err(_)) => "`ptw2k schemas` lists the bundled schemas".to_owned(),
            None => format!("it is looked for in {}", shown(&self.base)),
        };
        let span = settings.schema.as_ref().map_or(0..0, Spanned::span);
        let kind = FaultKind::NoSchema { name: name.to_owned(), checkpoint: checkpoint.to_owned() };
        self.faults.push(Fault::new(self.position(span), kind).with_help(help));
        None
    }

    /// The architecture: the job's, or the schema's. A schema that cannot be read is its job's own fault, which says
    /// more than could be said here.
    fn architecture(
        &mut self,
        arch: Option<String>,
        schema: &Named,
        entry: &Entry,
        checkpoint: &Path,
    ) -> Option<PathBuf> {
        let span = match (&arch, &entry.settings.arch) {
            (Some(_), Some(text)) => text.span(),
            _ => entry.position.span.clone(),
        };
        let path = match arch {
            Some(arch) => self.base.join(arch),
            None => {
                let load = || Schema::load(schema.as_path()).ok().map(|schema| schema.architecture);
                let named = self.schemas.entry(schema.as_path().to_owned()).or_insert_with(load).clone()?;
                let Some(path) = named else {
                    let schema = schema.as_path().display().to_string();
                    let kind = FaultKind::ArchitectureUntold { checkpoint: checkpoint.to_owned(), schema };
                    self.add(span, kind);
                    return None;
                };
                path
            }
        };
        if !path.exists() {
            let kind = FaultKind::NoArchitecture { path: path.clone(), checkpoint: checkpoint.to_owned() };
            self.add(span, kind);
        }
        Some(path)
    }
}

fn shown(base: &Path) -> String {
    if base.as_os_str().is_empty() { "the current folder".to_owned() } else { base.display().to_string() }
}

/// The glob that stands for a path and nothing else.
fn literal(path: &str) -> String {
    let mut glob = String::with_capacity(path.len());
    for c in path.chars() {
        match c {
            '*' | '?' | '[' => glob.extend(['[', c, ']']),
            other => glob.push(other),
        }
    }
    glob
}

/// What to do about an output's name, by the names of the manifest.
const fn output_help(error: &ConvertError) -> Option<&'static str> {
    match error {
        ConvertError::UnknownFormat { .. } => Some(
            "end it in `.weights.h5` (Keras 3), `.weights.json` (in shards), `.keras` (the whole model) or `.h5` (every version)",
        ),
        ConvertError::SavedAs { held: Saved::Model, .. } => {
            Some("end it in `.weights.h5` or `.h5`, or leave `save` out")
        }
        ConvertError::SavedAs { held: Saved::Weights, .. } => {
            Some("end it in `.keras` or `.h5`, or leave `save` out")
        }
        ConvertError::NotSharded { .. } => Some("end it in `.weights.json`, or leave `max-shard-size` out"),
        _ => None,
    }
}
