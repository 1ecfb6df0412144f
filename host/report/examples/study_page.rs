//! Writes the page of a made-up study, to look at, or again that of the study in a folder:
//! `cargo run --example study_page -- DIR [TASKS] [SEEDS]`.

#![expect(clippy::unwrap_used, reason = "a tool for those who change the page")]

#[path = "../tests/common/mod.rs"]
mod common;

fn main() {
    let mut words = std::env::args().skip(1);
    let folder = std::path::PathBuf::from(words.next().unwrap_or_else(|| "study-page".into()));
    let mut number = |default: usize| words.next().map_or(default, |w| w.parse().unwrap());
    let (tasks, seeds) = (number(4), number(3));
    if folder.join("study.json").exists() {
        omni_report::write(&folder).unwrap();
        return;
    }
    let names = [
        "math",
        "code",
        "qa",
        "writing",
        "linear-algebra-word-problems",
        "logic",
        "translation",
        "summaries",
        "physics",
    ];
    let seeds: Vec<u64> = (0..seeds as u64).collect();
    let mut study = common::study(&names[..tasks], &seeds);
    for method in &mut study.methods {
        for run in &mut method.runs {
            if let Some(of) = run.test.get_mut("writing") {
                of.rouge_l = Some(0.2 + 0.1 * of.accuracy.mean);
            }
        }
    }
    common::write(&study, &folder);
    let page = omni_report::write(&folder).unwrap();
    let mut out = std::io::stdout();
    std::io::Write::write_all(&mut out, format!("{}\n", page.display()).as_bytes()).unwrap();
}
