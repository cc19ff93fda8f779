//! Temporary.
/// Temporary.
#[derive(Debug, Clone)]
pub struct Grid {
    clip: f64,
    scale: f64,
}
impl Grid {
    /// Temporary.
    pub fn new(clip: f64, bits: u32) -> Self {
        Self { clip, scale: f64::from(1_u32 << bits) / clip }
    }
    /// Temporary.
    pub fn contribute(&self, v: &[f64]) -> Vec<i64> {
        let norm = v.iter().map(|x| x * x).sum::<f64>().sqrt();
        let f = if norm > self.clip { self.clip / norm * (1.0 - 1e-12) } else { 1.0 };
        v.iter().map(|x| (x * f * self.scale).trunc() as i64).collect()
    }
}
