//! Formatting of measured numbers.

/// Formats a number to three significant digits, and from 1,000 on as an integer: `0.0123`, `1.23`, `12.3`,
/// `1,234,567`.
pub fn figure(value: f64) -> String {
    if !value.is_finite() || value == 0.0 {
        return value.to_string();
    }
    let magnitude = value.abs().log10().floor() as i32;
    if magnitude >= 3 {
        return thousands(value);
    }
    let decimals = (2 - magnitude).clamp(0, 9) as usize;
    format!("{value:.decimals$}")
}

/// Formats a rounded number with commas.
fn thousands(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| std::str::from_utf8(group).expect("digits are ASCII"))
        .collect();
    format!("{}{}", if value < 0.0 { "-" } else { "" }, groups.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_significant_digits() {
        let figures = [
            0.012_34,
            1.234,
            12.34,
            123.4,
            999.9,
            1_234_567.8,
            -1234.0,
            0.0,
        ]
        .map(figure);
        assert_eq!(
            figures,
            [
                "0.0123",
                "1.23",
                "12.3",
                "123",
                "1000",
                "1,234,568",
                "-1,234",
                "0"
            ]
        );
    }
}
