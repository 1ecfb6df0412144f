//! A study in its folder: the graph that its evidence gives, and its records, kept up to date.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use omni_curriculum::Confidence;

use crate::config::StudyConfig;
use crate::evidence::{Gathered, gather, wanted};
use crate::execute::{Growing, Standing};
use crate::facts::Facts;
use crate::finished::{self, digest};
use crate::graph::{Chosen, Graph, graph};
use crate::tested::Tested;
use crate::{StudyError, record};

/// A study at work in its folder.
#[derive(Debug)]
pub struct Session {
    root: PathBuf,
    name: String,
    study: StudyConfig,
    facts: Facts,
    run_digest: String,
    evidence: Option<Known>,
    tested: Tested,
}

/// What is known once all single-task runs are measured.
#[derive(Debug)]
struct Known {
    pooled: Gathered,
    by_seed: Vec<Gathered>,
    chosen: Chosen,
    confidence: Confidence,
    digest: String,
}

/// Held while a study is at work in its folder.
#[derive(Debug)]
pub struct Hold {
    _lock: File,
}

impl Hold {
    /// Takes a study's folder; one study at a time has it.
    ///
    /// # Errors
    /// When another process has it, or the file system refuses.
    pub fn take(root: &Path) -> Result<Self, StudyError> {
        let path = root.join(".busy");
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(StudyError::io("open", &path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { _lock: lock }),
            Err(std::fs::TryLockError::WouldBlock) => {
                Err(StudyError::Busy { path: root.to_owned() })
            }
            Err(std::fs::TryLockError::Error(error)) => Err(StudyError::io("lock", &path)(error)),
        }
    }
}

impl Session {
    /// A study in `root`, whose resolved run file reads `run`.
    #[must_use]
    pub fn new(root: &Path, name: String, study: StudyConfig, facts: Facts, run: &str) -> Self {
        let run_digest = digest(run.as_bytes());
        let tested = Tested::default();
        Self { root: root.to_owned(), name, study, facts, run_digest, evidence: None, tested }
    }

    /// What the evidence chose, once it is there.
    #[must_use]
    pub fn chosen(&self) -> Option<&Chosen> {
        self.evidence.as_ref().map(|known| &known.chosen)
    }

    /// The study file.
    #[must_use]
    pub fn study(&self) -> &StudyConfig {
        &self.study
    }

    /// What is known of the run file.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Makes the evidence from finished evaluations, once they are all there.
    fn learn(&mut self, standing: &Standing) -> Result<(), StudyError> {
        let missing = |id: &String| !standing.done.contains_key(id);
        if wanted(&self.study, &self.facts).iter().any(missing) {
            self.evidence = None;
            return Ok(());
        }
        if self.evidence.is_some() {
            return Ok(());
        }
        let (root, study, facts) = (&self.root, &self.study, &self.facts);
        let pooled = gather(root, study, facts, &study.seeds)?;
        let mut by_seed = Vec::new();
        for &seed in &study.seeds {
            by_seed.push(gather(root, study, facts, &[seed])?);
        }
        let digest = digest(pooled.file().to_string().as_bytes());
        let chosen = pooled.choose(study);
        let confidence = Confidence::from_samples(&pooled.evidence, &pooled.transfer.resampled);
        self.evidence = Some(Known { pooled, by_seed, chosen, confidence, digest });
        Ok(())
    }

    /// Writes the evidence's files, which steps and people read. Not where a study is only looked at.
    fn write_evidence(&self) -> Result<(), StudyError> {
        let Some(known) = &self.evidence else { return Ok(()) };
        for (seed, own) in self.study.seeds.iter().zip(&known.by_seed) {
            let path = self.root.join(format!("seed-{seed}/evidence.json"));
            finished::write_json(&path, &own.file())?;
        }
        finished::write_json(&self.root.join("evidence.json"), &known.pooled.file())
    }
}

impl Growing for Session {
    fn graph(&mut self, standing: &Standing) -> Result<Graph, StudyError> {
        self.learn(standing)?;
        Ok(graph(&self.study, &self.facts, self.chosen()))
    }

    fn record(&mut self, standing: &Standing) -> Result<(), StudyError> {
        self.write_evidence()?;
        self.tested.refresh(&self.root, &self.study, &self.facts, standing)?;
        let evidence = self.evidence.as_ref();
        let study = record::build(&record::Sources {
            root: &self.root,
            name: &self.name,
            study: &self.study,
            facts: &self.facts,
            standing,
            tested: &self.tested,
            pooled: evidence.map(|known| &known.pooled),
            by_seed: evidence.map(|known| known.by_seed.as_slice()).unwrap_or_default(),
            confidence: evidence.map(|known| &known.confidence),
        });
        finished::write_json(&self.root.join("study.json"), &study)
    }

    fn inputs(&self) -> BTreeMap<String, String> {
        let mut inputs = BTreeMap::from([("run.toml".to_owned(), self.run_digest.clone())]);
        if let Some(known) = &self.evidence {
            inputs.insert("evidence.json".into(), known.digest.clone());
        }
        inputs
    }
}
