//! The results as JUnit XML, which continuous-integration services read.

use super::table::{Report, details, sentence};
use crate::cli::output;
use anyhow::{Context, Result};
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};
use std::collections::BTreeMap;
use std::path::Path;

/// Writes the report to `path`: a suite for each suite, in the order of their names.
pub fn write(report: &Report<'_>, path: &Path) -> Result<()> {
    let (sums, _) = report.sums();
    let mut suites: BTreeMap<&str, TestSuite> = BTreeMap::new();
    for (&name, sum) in &sums {
        let mut suite = TestSuite::new(name);
        suite.set_time(sum.elapsed);
        suites.insert(name, suite);
    }
    for outcome in report.outcomes {
        let test = &report.found.tests[outcome.index];
        let status = match &outcome.failure {
            None => TestCaseStatus::success(),
            Some(failure) => {
                let mut text = String::new();
                details(&mut text, failure, &[]);
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_message(sentence(failure)).set_type("failure").set_description(text);
                status
            }
        };
        let mut case = TestCase::new(test.label.display().to_string(), status);
        case.set_classname(test.suite.as_str()).set_time(outcome.elapsed);
        if !outcome.console.is_empty() {
            case.set_system_out(String::from_utf8_lossy(&outcome.console));
        }
        if let Some(suite) = suites.get_mut(test.suite.as_str()) {
            suite.add_test_case(case);
        }
    }
    let mut junit = quick_junit::Report::new("folio test");
    junit.set_time(report.elapsed).add_test_suites(suites.into_values());
    let text = junit.to_string().context("the JUnit report cannot be written as XML")?;
    output::write(path, text)
}
