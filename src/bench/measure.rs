//! Numbers: clocks, the operating system's figures for a process, medians.

use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};

/// Now, on a clock that only goes forward.
pub(super) fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "measuring is what this is for")]
    Instant::now()
}

/// Milliseconds with fractions.
pub(super) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// CPU seconds that a process has used, user and system (proc(5), `stat`).
pub(super) fn cpu_seconds(pid: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after_name = stat.rsplit_once(')').context("an unexpected stat file")?.1;
    let ticks: f64 =
        after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    Ok(ticks / 100.0)
}

/// The same in nanoseconds' resolution: what all threads that still run have used (proc(5), `schedstat`).
pub(super) fn cpu_exact(pid: u32) -> Result<f64> {
    let mut nanos = 0.0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let used = fs::read_to_string(task?.path().join("schedstat"))?;
        nanos += used.split_whitespace().next().context("an empty schedstat")?.parse::<f64>()?;
    }
    Ok(nanos / 1e9)
}

/// Resident memory of a process, in MiB (proc(5), `status`).
pub(super) fn resident_mib(pid: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib / 1024.0)
}

/// The values at these shares of the sorted list, and the largest.
pub(super) fn percentiles(mut values: Vec<f64>) -> Value {
    values.sort_by(f64::total_cmp);
    let at = |percent: usize| {
        let index = (values.len() * percent / 100).min(values.len().saturating_sub(1));
        values.get(index).copied().map(rounded)
    };
    json!({ "p50": at(50), "p95": at(95), "p99": at(99), "max": at(100) })
}

/// Two digits after the point are more than repeats.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// The median of every number, by its name.
pub(super) fn medians(runs: &[Map<String, Value>]) -> Value {
    let mut all = Map::new();
    for name in runs.first().into_iter().flat_map(Map::keys) {
        let values: Vec<&Value> = runs.iter().filter_map(|run| run.get(name)).collect();
        all.insert(name.clone(), median(&values));
    }
    Value::Object(all)
}

fn median(values: &[&Value]) -> Value {
    if let Some(objects) = values.iter().map(|value| value.as_object().cloned()).collect::<Option<Vec<_>>>() {
        return medians(&objects);
    }
    let mut numbers: Vec<f64> = values.iter().filter_map(|value| value.as_f64()).collect();
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).map_or(Value::Null, |middle| json!(rounded(*middle)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_taken_by_name() {
        let runs: Vec<Map<String, Value>> = [3.0, 1.0, 2.0]
            .iter()
            .map(|value| json!({ "a": value, "b": { "c": value } }).as_object().unwrap().clone())
            .collect();
        assert_eq!(medians(&runs), json!({ "a": 2.0, "b": { "c": 2.0 } }));
        assert_eq!(percentiles(vec![3.0, 1.0, 2.0])["max"], json!(3.0));
    }
}
