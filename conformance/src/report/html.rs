//! One self-contained HTML page: cases × servers. The page carries the data as
//! JSON and draws itself.

use anyhow::Result;

use crate::outcome::RunResult;

const PAGE: &str = include_str!("page.html");

pub fn render(runs: &[RunResult]) -> Result<String> {
    // `</script>` inside a transcript would end the data early.
    let data = serde_json::to_string(runs)?.replace('<', "\\u003c");
    Ok(PAGE.replace("\"@DATA@\"", &data))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::sample;

    #[test]
    fn the_page_carries_its_data_and_nothing_from_elsewhere() {
        let page = render(&[sample()]).expect("renders");
        assert!(page.contains("a/b/02"));
        assert!(!page.contains("@DATA@"));
        assert!(!page.contains("src=\"http") && !page.contains("href=\"http"));
        assert_eq!(page.matches("</script>").count(), 2);
    }
}
