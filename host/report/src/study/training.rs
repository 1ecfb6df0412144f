//! Curves of training, chained over the phases of a curriculum, read from the runs' events.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use omni_record::{Event, Method, MethodKind, RunFolder};

use super::accuracy::main_methods;
use super::names::Letters;
use super::numbers::Numbers;
use crate::chart::{Chart, Phase, Series};
use crate::table::{Cell, Column, Form, Table};

/// Letters of a method's name in a heading.
const LABEL: usize = 32;

/// Points that the heavy line averages.
const SMOOTH: usize = 10;

/// What the runs of one method show, step by step from the base on.
#[derive(Default)]
struct Course {
    method: String,
    name: String,
    seed: u64,
    reward: BTreeMap<String, Vec<(f64, f64)>>,
    entropy: BTreeMap<String, Vec<(f64, f64)>>,
    loss: BTreeMap<String, Vec<(f64, f64)>>,
    validation: BTreeMap<String, Vec<(f64, f64)>>,
    phases: Vec<Phase>,
}

/// Curves of a study.
pub(super) struct Training {
    courses: Vec<Course>,
    /// Run folders that could not be read, with what they said.
    pub(super) unread: Vec<String>,
    tasks: Vec<String>,
}

impl Training {
    /// Reads the first seed of every method of the main table.
    pub(super) fn read(numbers: &Numbers<'_>, letters: &Letters, folder: &Path) -> Self {
        let mut all =
            Self { courses: Vec::new(), unread: Vec::new(), tasks: numbers.study.tasks.clone() };
        let mut single: Option<Course> = None;
        // A merge's runs are those of the single tasks, which have a chart.
        let trained = |method: &&Method| method.kind != MethodKind::Merge;
        for method in main_methods(numbers).into_iter().filter(trained) {
            let Some(run) = method.runs.iter().find(|run| !run.runs.is_empty()) else { continue };
            let mut course = all.course(method, run.seed, &run.runs, folder);
            course.method = letters.method(method, LABEL);
            match &mut single {
                _ if course.is_empty() => {}
                None if method.kind == MethodKind::Single => single = Some(course.own()),
                Some(single) if method.kind == MethodKind::Single => single.take(course.own()),
                _ => all.courses.push(course),
            }
        }
        all.courses.splice(0..0, single);
        all
    }

    fn course(&mut self, method: &Method, seed: u64, runs: &[PathBuf], folder: &Path) -> Course {
        let mut course = Course { name: method.name.clone(), seed, ..Course::default() };
        let mut offset = 0;
        for (index, run) in runs.iter().enumerate() {
            let events = match inside(folder, run) {
                Some(path) => RunFolder::new(path).events().map_err(|e| e.to_string()),
                None => Err(format!("{}: not a folder of this study", run.display())),
            };
            let events = match events {
                Ok(events) => events,
                Err(problem) => {
                    self.unread.push(problem);
                    continue;
                }
            };
            // What follows a phase that has not begun would stand at the wrong steps.
            if events.is_empty() {
                break;
            }
            let last = events.iter().map(Event::step).max().unwrap_or(0);
            let phase = method.order.as_ref().and_then(|order| order.get(index));
            course.chain(&events, offset, index == 0);
            if let Some(task) = phase.filter(|_| runs.len() > 1) {
                let (from, to) = (offset as f64, (offset + last) as f64);
                course.phases.push(Phase { from, to, name: task.clone() });
            }
            offset += last;
        }
        // Later phases that do not validate would leave a chart of the first one alone.
        let first = course.phases.first().map_or(f64::INFINITY, |phase| phase.to);
        let mut validated = course.validation.values().flatten();
        if course.phases.len() > 1 && validated.all(|(step, _)| *step <= first) {
            course.validation.clear();
        }
        // A curriculum within one run: phases are where its batches change.
        if course.phases.is_empty() && method.order.is_some() {
            course.phases = course.pure_phases();
        }
        course
    }

    /// Reward, entropy and validation, a chart each and method by method.
    pub(super) fn charts(&self) -> Vec<Chart> {
        let mut charts = Vec::new();
        for course in &self.courses {
            let chart =
                |what: &str, y: &str, of: &BTreeMap<String, Vec<(f64, f64)>>, marks| Chart {
                    title: format!("{}: {what}", course.method),
                    x: "step from the base".into(),
                    y: y.into(),
                    series: self.series(of, marks),
                    smooth: if marks { 0 } else { SMOOTH },
                    include: vec![0.0],
                    phases: course.phases.clone(),
                    ..Chart::default()
                };
            charts.extend(
                [
                    chart("reward", "mean reward", &course.reward, false),
                    chart("token entropy", "nats", &course.entropy, false),
                    chart("supervised loss", "nats a token", &course.loss, false),
                    chart("validation", "accuracy", &course.validation, true),
                ]
                .into_iter()
                .filter(|chart| !chart.is_empty()),
            );
        }
        charts
    }

    /// Tasks keep their colours from chart to chart, so one without points has a series too.
    fn series(&self, of: &BTreeMap<String, Vec<(f64, f64)>>, marks: bool) -> Vec<Series> {
        self.tasks
            .iter()
            .map(|task| Series {
                name: task.clone(),
                points: of.get(task).cloned().unwrap_or_default(),
                marks,
            })
            .collect()
    }

    /// The points of all curves, for files.
    pub(super) fn table(&self) -> Table {
        let columns = vec![
            Column::new("method", "method", Form::Text),
            Column::new("seed", "seed", Form::Count),
            Column::new("curve", "curve", Form::Text),
            Column::new("task", "task", Form::Text),
            Column::new("step", "step", Form::Count),
            Column::new("value", "value", Form::Plain(6)),
        ];
        let mut rows = Vec::new();
        for course in &self.courses {
            let curves = [
                ("reward", &course.reward),
                ("entropy", &course.entropy),
                ("supervised_loss", &course.loss),
                ("validation_accuracy", &course.validation),
            ];
            for (curve, of) in curves {
                for (task, points) in of {
                    rows.extend(points.iter().map(|(step, value)| {
                        vec![
                            Cell::text(&course.name),
                            Cell::count(course.seed),
                            Cell::text(curve),
                            Cell::text(task),
                            Cell::number(*step),
                            Cell::number(*value),
                        ]
                    }));
                }
            }
        }
        Table {
            name: "training",
            title: "Curves of training".into(),
            note: "One row for each point of a curve; steps are counted from the base.".into(),
            columns,
            rows,
            most: None,
        }
    }
}

impl Course {
    fn is_empty(&self) -> bool {
        [&self.reward, &self.entropy, &self.loss, &self.validation].iter().all(|of| of.is_empty())
    }

    /// A single-task run as one line of a chart of all of them: what it shows of the task that it
    /// trains.
    fn own(mut self) -> Self {
        let own: Vec<String> = self.reward.keys().chain(self.loss.keys()).cloned().collect();
        self.validation.retain(|task, _| own.contains(task));
        Self { method: "each task alone".into(), name: "single".into(), ..self }
    }

    /// Takes over the lines of another.
    fn take(&mut self, other: Self) {
        self.reward.extend(other.reward);
        self.entropy.extend(other.entropy);
        self.loss.extend(other.loss);
        self.validation.extend(other.validation);
    }

    /// Adds a run that began `offset` steps from the base.
    fn chain(&mut self, events: &[Event], offset: u64, first: bool) {
        let at = |step: u64| (offset + step) as f64;
        for event in events {
            match event {
                Event::Step(step) => {
                    for (task, of) in &step.tasks {
                        let add = |to: &mut BTreeMap<String, Vec<(f64, f64)>>, value| {
                            let Some(value) = value else { return };
                            to.entry(task.clone()).or_default().push((at(step.step), value));
                        };
                        add(&mut self.reward, of.reward_mean);
                        add(&mut self.entropy, of.entropy);
                    }
                }
                Event::Supervised(step) => {
                    for (task, of) in &step.tasks {
                        let points = self.loss.entry(task.clone()).or_default();
                        points.push((at(step.step), of.loss));
                    }
                }
                // What a run measured before its first step, the run before it has measured.
                Event::Eval(eval) if eval.purpose == "validation" && (first || eval.step > 0) => {
                    for (task, of) in &eval.tasks {
                        let Some(accuracy) = of.accuracy() else { continue };
                        let points = self.validation.entry(task.clone()).or_default();
                        points.push((at(eval.step), accuracy.mean));
                    }
                }
                _ => {}
            }
        }
    }

    /// Stretches of steps whose batches hold one and the same task.
    fn pure_phases(&self) -> Vec<Phase> {
        let mut steps: BTreeMap<u64, Vec<&String>> = BTreeMap::new();
        for (task, points) in &self.reward {
            for (step, _) in points {
                steps.entry(*step as u64).or_default().push(task);
            }
        }
        let mut phases: Vec<Phase> = Vec::new();
        for (step, tasks) in &steps {
            let [task] = tasks[..] else { return Vec::new() };
            match phases.last_mut().filter(|phase| phase.name == *task) {
                Some(phase) => phase.to = *step as f64,
                None => {
                    let from = phases.last().map_or(*step as f64, |before| before.to);
                    phases.push(Phase { from, to: *step as f64, name: task.clone() });
                }
            }
        }
        phases
    }
}

/// A folder of the study; none for a path that leads out of it.
pub(super) fn inside(folder: &Path, path: &Path) -> Option<PathBuf> {
    let plain = path.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
    plain.then(|| folder.join(path))
}
