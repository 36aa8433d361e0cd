//! `pad`: x moved within a larger (or, with negative padding, smaller) output.

use super::element::Element;
use super::numeric::dispatch;
use super::spec::{GenericError, Kernel, Plan, Step, expect_dtype};
use super::tensor::{Inputs, Outputs};
use serde::Deserialize;
use std::marker::PhantomData;
use std::ops::Range;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Attrs {
    /// Elements put before x on each axis; negative cuts.
    before: Vec<i64>,
    mode: Mode,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Mode {
    /// The scalar of the second input, or 0.
    Constant,
    /// The border element.
    Edge,
    /// Mirrored at the border element, which is not repeated.
    Reflect,
    /// Periodic.
    Wrap,
}

/// Marks a position that lies outside x.
const OUTSIDE: usize = usize::MAX;

pub(super) fn plan(step: &Step<'_>) -> Result<Plan, String> {
    step.arity(1..=2, 1)?;
    let (x, y, attrs) = (step.x(0)?, step.y(0), step.attrs::<Attrs>()?);
    expect_dtype("output", y.dtype, x.dtype)?;
    if let Some(value) = step.optional(1) {
        expect_dtype("value", value.dtype, x.dtype)?;
        if value.len() != 1 {
            return Err(format!("the value has dims {:?}, expected a scalar", value.dims));
        }
    }
    let rank = x.dims.len();
    if y.dims.len() != rank || attrs.before.len() != rank {
        return Err(format!("dims {:?}, paddings {:?} and output dims {:?} differ in rank", x.dims, attrs.before, y.dims));
    }
    let mut axes = Vec::new();
    let mut stride = x.len();
    for axis in 0..rank {
        stride = stride.checked_div(x.dims[axis]).unwrap_or(0);
        axes.push(sources(x.dims[axis], y.dims[axis], attrs.before[axis], attrs.mode, stride)?);
    }
    let last = axes.pop().unwrap_or_else(|| vec![0]);
    let rows = y.len().checked_div(last.len()).unwrap_or(0);
    dispatch!(width, x.dtype, T => Plan::new(rows, y.len(), Pad::<T> { outer: axes, last, element: PhantomData }))
}

/// For each position along an output axis, the offset in x that it is read from.
fn sources(x: usize, y: usize, before: i64, mode: Mode, stride: usize) -> Result<Vec<usize>, String> {
    if x == 0 && y > 0 && mode != Mode::Constant {
        return Err(format!("mode {mode:?} has nothing to repeat on an axis of length 0"));
    }
    let n = x as i128;
    let source = |at: usize| -> usize {
        let at = at as i128 - before as i128;
        let inside = match mode {
            Mode::Constant if at < 0 || at >= n => return OUTSIDE,
            Mode::Constant => at,
            Mode::Edge => at.clamp(0, n - 1),
            Mode::Wrap => at.rem_euclid(n),
            Mode::Reflect => {
                let period = (2 * (n - 1)).max(1);
                let at = at.rem_euclid(period);
                at.min(period - at).min(n - 1)
            }
        };
        inside as usize * stride
    };
    Ok((0..y).map(source).collect())
}

struct Pad<T> {
    outer: Vec<Vec<usize>>,
    last: Vec<usize>,
    element: PhantomData<T>,
}

impl<T: Element> Kernel for Pad<T> {
    fn run(&self, units: Range<usize>, x: &Inputs<'_>, y: &mut Outputs<'_>) -> Result<(), GenericError> {
        let value = if x.0.get(1).is_some_and(Option::is_some) { x.bits::<T>(1)?[0] } else { T::default() };
        let x = x.bits::<T>(0)?;
        for (row, y) in units.zip(y.take_bits::<T>(0)?.chunks_exact_mut(self.last.len())) {
            let (mut rest, mut base, mut inside) = (row, 0, true);
            for axis in self.outer.iter().rev() {
                let source = axis[rest % axis.len()];
                rest /= axis.len();
                inside &= source != OUTSIDE;
                base += if inside { source } else { 0 };
            }
            if !inside {
                y.fill(value);
                continue;
            }
            for (y, &source) in y.iter_mut().zip(&self.last) {
                *y = if source == OUTSIDE { value } else { x[base + source] };
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::DType;
    use crate::testing::{run, spec, try_check};
    use serde_json::json;

    fn pad(mode: &str, before: i64, after: usize) -> Vec<i32> {
        let x = [1i32, 2, 3];
        run("pad", json!({"before": [before], "mode": mode}), &[&spec(&[3], &x)], &[after])
    }

    #[test]
    fn each_mode_fills_in_its_way() {
        assert_eq!(pad("constant", 2, 7), [0, 0, 1, 2, 3, 0, 0]);
        assert_eq!(pad("edge", 2, 7), [1, 1, 1, 2, 3, 3, 3]);
        assert_eq!(pad("reflect", 2, 7), [3, 2, 1, 2, 3, 2, 1]);
        assert_eq!(pad("wrap", 2, 7), [2, 3, 1, 2, 3, 1, 2]);
        assert_eq!(pad("reflect", 5, 11), [2, 1, 2, 3, 2, 1, 2, 3, 2, 1, 2]);
        assert_eq!(pad("constant", -1, 1), [2]);
    }

    #[test]
    fn pads_every_axis_with_a_value() {
        let (x, v) = ([1u8, 2], [9u8]);
        let y: Vec<u8> = run("pad", json!({"before": [1, 0], "mode": "constant"}), &[&spec(&[1, 2], &x), &spec(&[], &v)], &[3, 3]);
        assert_eq!(y, [9, 9, 9, 1, 2, 9, 9, 9, 9]);
        let y: Vec<u8> = run("pad", json!({"before": [1], "mode": "constant"}), &[&spec(&[0], &x[..0]), &spec(&[], &v)], &[2]);
        assert_eq!(y, [9, 9]);
        let y: Vec<u8> = run("pad", json!({"before": [], "mode": "edge"}), &[&spec(&[], &v)], &[]);
        assert_eq!(y, [9]);
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let x = [Some((DType::F32, vec![0]))];
        let y = [(DType::F32, vec![2])];
        assert!(try_check("pad", json!({"before": [1], "mode": "edge"}), &x, &y).is_err());
        assert!(try_check("pad", json!({"before": [1, 1], "mode": "constant"}), &x, &y).is_err());
        assert!(try_check("pad", json!({"before": [1], "mode": "mirror"}), &x, &y).is_err());
        assert!(try_check("pad", json!({"before": [i64::MIN], "mode": "constant"}), &x, &y).is_ok());
    }
}
