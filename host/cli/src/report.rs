//! `report`: a run's or a study's page and its numbers, again from its records.

use crate::args::Report;
use crate::console;
use crate::fault::{Blame as _, Fault, Outcome, chain};

/// Writes the page with the files beside it, and says where the page is.
pub(crate) fn run(report: &Report) -> Outcome<()> {
    let out = report.out.as_deref().unwrap_or(&report.folder);
    let page = omni_report::write_to(&report.folder, out).map_err(fault)?;
    if let Some(file) = &report.svg {
        let picture = omni_report::picture(&report.folder).map_err(fault)?;
        std::fs::write(file, picture).or_run_at(file.display())?;
    }
    console::result(page.display().to_string())
}

/// Records that cannot be read are the input; a page that cannot be written is not.
fn fault(error: omni_report::ReportError) -> Fault {
    match &error {
        omni_report::ReportError::Write { .. } => Fault::run(chain(&error)),
        _ => Fault::input(chain(&error)),
    }
}
