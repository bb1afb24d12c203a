//! Changes of a release that a hint offers. Each is decided again first: a hint that does not work is worse than none.

use super::{Need, covering};
use crate::catalogue::{Column, Dataset, Named};
use crate::document::Grant;
use crate::shape::{Aggregate, Grain, LevelRef, MeasureRef, ReleaseShape};

/// Where no change of one thing is enough.
pub(super) const ALONE: &str = "changing that alone is not enough";

/// A release that is refused, and the grants that might have covered it.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) grants: &'a [&'a Grant],
    pub(super) dataset: &'a Dataset,
    pub(super) shape: &'a ReleaseShape,
}

impl Asked<'_> {
    /// Whether the changed release would be permitted. What shows nothing is no release.
    pub(super) fn permits(&self, changed: &ReleaseShape) -> bool {
        let shows = !changed.keys.is_empty() || !changed.measures.is_empty();
        shows && !covering(self.grants, self.dataset, changed).is_empty()
    }

    /// The finest grain of a date, this one or a coarser one, by which the release would be permitted.
    pub(super) fn by_grain(&self, level: &LevelRef, finest: Grain) -> Option<String> {
        let column = &level.column;
        let mut coarser = Grain::ALL.into_iter().filter(|grain| finest <= *grain);
        let grain = coarser.find(|grain| {
            self.permits(&self.with_levels(|other| {
                let finer = other.grain.unwrap_or(Grain::Day) < *grain;
                let grain = if finer { Some(*grain) } else { other.grain };
                (other.column == *column).then(|| LevelRef { grain, column: column.clone() })
            }))
        })?;
        let word = grain.as_str();
        Some(format!(
            "write date_trunc('{word}', {column}), or compare with the first day of a {word}"
        ))
    }

    /// The finest of a column's levels, this one or a coarser one, with which the release would be permitted.
    pub(super) fn by_level(&self, level: &LevelRef, column: &Column, at: usize) -> Option<String> {
        let coarser = column.levels.iter().skip(at).filter_map(|level| column.virtual_name(level));
        let name = coarser.into_iter().find(|name| {
            self.permits(&self.with_levels(|other| {
                (other.column == level.column)
                    .then(|| LevelRef { column: name.clone(), grain: None })
            }))
        })?;
        Some(format!("write {name} in place of {}", level.column))
    }

    /// What to do where quantiles are read off a level that is not shared, or not as finely; `None` for any other level.
    pub(super) fn by_quantile(&self, level: &LevelRef) -> Option<String> {
        let column = self.dataset.named(level).and_then(Named::column)?;
        let is_one = |of: &MeasureRef| {
            let own = of.column.as_ref().is_some_and(|of| of.column == column.name);
            own && of.aggregate == Aggregate::Quantile
        };
        let bins = column.bins().is_some_and(|bins| bins.level == *level);
        if !bins || !self.shape.measures.iter().any(is_one) {
            return None;
        }
        let mut without = self.shape.clone();
        without.measures.retain(|of| !is_one(of));
        without.filters.retain(|of| of != level);
        let name = &column.name;
        Some(if self.permits(&without) {
            format!("leave out the quantiles of {name}: they are read off {level}")
        } else {
            format!("quantiles of {name} are read off {level}; {ALONE}")
        })
    }

    /// The aggregates in the place of which the release would be permitted.
    pub(super) fn by_aggregate(&self, need: &Need<'_>) -> Option<String> {
        let Need::Measure(measure) = need else { return None };
        // Correlations are of two columns.
        let of_two = [Aggregate::Correlation, Aggregate::Covariance];
        let permitted: Vec<&str> = Aggregate::ALL
            .into_iter()
            .filter(|aggregate| !of_two.contains(aggregate))
            .filter(|aggregate| self.permits(&self.with_aggregate(measure, *aggregate)))
            .map(Aggregate::as_str)
            .collect();
        (!permitted.is_empty()).then(|| format!("permitted in its place: {}", permitted.join(", ")))
    }

    /// The release without these.
    pub(super) fn without(&self, needs: &[Need<'_>]) -> ReleaseShape {
        let mut shape = self.shape.clone();
        shape.keys.retain(|level| !needs.contains(&Need::Level(level)));
        shape.filters.retain(|level| !needs.contains(&Need::Level(level)));
        shape.measures.retain(|measure| !needs.contains(&Need::Measure(measure)));
        shape
    }

    fn with_aggregate(&self, measure: &MeasureRef, aggregate: Aggregate) -> ReleaseShape {
        let mut shape = self.shape.clone();
        for of in shape.measures.iter_mut().filter(|of| *of == measure) {
            of.aggregate = aggregate;
        }
        let column = measure.column.as_ref().map(|level| level.column.as_str());
        let column = column.and_then(|column| self.dataset.column(column));
        // Quantiles come with the level that they are read off.
        let bins = column.filter(|_| aggregate == Aggregate::Quantile).and_then(Column::bins);
        shape.filters.extend(bins.map(|bins| bins.level));
        shape
    }

    /// The release with other levels where there are any to put in their place.
    fn with_levels(&self, other: impl Fn(&LevelRef) -> Option<LevelRef>) -> ReleaseShape {
        let mut shape = self.shape.clone();
        let measured = shape.measures.iter_mut().filter_map(|measure| measure.column.as_mut());
        for level in shape.keys.iter_mut().chain(&mut shape.filters).chain(measured) {
            if let Some(other) = other(level) {
                *level = other;
            }
        }
        shape
    }
}
