/// The area under the ROC curve: the chance that a positive scores above a negative, ties counting
/// one half ([Mann & Whitney 1947]). One half if a class is missing.
///
/// ```
/// # use client::evaluate::auc;
/// assert_eq!(auc(&[0.1, 0.4, 0.4, 0.9], &[0.0, 0.0, 1.0, 1.0]), 0.875);
/// ```
pub fn auc(scores: &[f64], labels: &[f32]) -> f64 {
    let mut ranked: Vec<(f64, bool)> =
        scores.iter().zip(labels).map(|(&score, &label)| (score, label > 0.5)).collect();
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut above, mut negatives, mut positives) = (0.0, 0.0, 0.0);
    #[expect(clippy::float_cmp, reason = "a tie is equality of scores")]
    for tied in ranked.chunk_by(|a, b| a.0 == b.0) {
        let (mut tied_positives, mut tied_negatives) = (0.0, 0.0);
        for (_, positive) in tied {
            if *positive { tied_positives += 1.0 } else { tied_negatives += 1.0 }
        }
        above += tied_positives * (negatives + 0.5 * tied_negatives);
        positives += tied_positives;
        negatives += tied_negatives;
    }
    let pairs = positives * negatives;
    if pairs > 0.0 { above / pairs } else { 0.5 }
}
