//! Figures as text and as lines of a CSV file.

use comfy_table::{CellAlignment, Table, presets};

use crate::load::Outcome;

/// Columns of `raw.csv`.
pub const CSV_HEADER: &str = "server,op,clients,depth,round,requests,errors,seconds,per_second,\
p50_us,p99_us,p999_us,max_us,server_cpu_us_per_request,server_rss_bytes";

/// One run as a CSV line, without newline.
pub fn csv_line(server: &str, shape: &str, round: usize, outcome: &Outcome) -> String {
    let latency = &outcome.latency_us;
    let optional = |number: Option<String>| number.unwrap_or_default();
    format!(
        "{server},{shape},{round},{},{},{:.3},{:.0},{},{},{},{},{},{}",
        outcome.requests,
        outcome.errors,
        outcome.elapsed.as_secs_f64(),
        outcome.per_second(),
        latency.value_at_quantile(0.5),
        latency.value_at_quantile(0.99),
        latency.value_at_quantile(0.999),
        latency.max(),
        optional(outcome.cpu_us_per_request().map(|us| format!("{us:.2}"))),
        optional(outcome.server_resident_bytes.map(|bytes| bytes.to_string())),
    )
}

/// One run in one line, for people.
pub fn line(outcome: &Outcome) -> String {
    let latency = &outcome.latency_us;
    let cpu = outcome.cpu_us_per_request();
    let cpu = cpu.map_or(String::new(), |us| {
        format!("  server cpu {us:.2} µs/request")
    });
    format!(
        "{:>9.0}/s  p50 {} µs  p99 {} µs  p99.9 {} µs  max {} µs{cpu}  errors {}",
        outcome.per_second(),
        latency.value_at_quantile(0.5),
        latency.value_at_quantile(0.99),
        latency.value_at_quantile(0.999),
        latency.max(),
        outcome.errors,
    )
}

/// The middle of an odd number of values, the lower middle of an even one; 0 of none.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len().saturating_sub(1) / 2;
    values.get(middle).copied().unwrap_or(0.0)
}

/// A plain table: the first column left, numbers right.
pub fn table(header: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table
        .load_preset(presets::ASCII_MARKDOWN)
        .set_header(header);
    table.add_rows(rows);
    for (index, column) in table.column_iter_mut().enumerate() {
        if index > 0 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(vec![]), 0.0);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.0);
    }
}
