//! A node's metrics, as scraped.

/// One scrape.
#[derive(Debug, Clone)]
pub struct Metrics(pub(crate) String);

impl Metrics {
    /// The value of a series, named as it is written: `name` or `name{label="value"}`.
    pub fn value(&self, series: &str) -> Option<f64> {
        self.0.lines().find_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            (name == series).then(|| value.parse().ok())?
        })
    }

    /// The sum over all series of a name.
    pub fn sum(&self, name: &str) -> f64 {
        let values = self.0.lines().filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let of_name = series.split('{').next() == Some(name);
            of_name.then(|| value.parse::<f64>().ok())?
        });
        values.sum()
    }

    pub fn text(&self) -> &str {
        &self.0
    }
}
