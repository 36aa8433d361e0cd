//! Walking over the elements of an output while following several strided operands.

use std::ops::Range;

/// Dims that a walk may have after merging.
pub(super) const MAX_DIMS: usize = 32;

/// The iteration space of an output and where each of `N` operands is read for every element of it.
///
/// Neighbouring dims are merged where all operands allow it, so most walks have one or two dims.
#[derive(Clone, Debug)]
pub(super) struct Walk<const N: usize> {
    dims: Vec<usize>,
    strides: Vec<[isize; N]>,
    start: [usize; N],
}

/// A stretch of an output along the innermost dim of a [`Walk`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Run<const N: usize> {
    /// First element, counted from the start of the walked range.
    pub at: usize,
    /// Elements.
    pub len: usize,
    /// Where each operand starts.
    pub offset: [usize; N],
    /// How far each operand goes per element.
    pub stride: [isize; N],
}

impl<const N: usize> Walk<N> {
    /// A walk over `dims`. Operand `n` is read at `start[n] + Σ index[d] · strides[d][n]`, which must stay within `lens[n]`.
    pub fn new(dims: &[usize], strides: &[[isize; N]], start: [usize; N], lens: [usize; N]) -> Result<Self, String> {
        assert_eq!(dims.len(), strides.len());
        if !dims.contains(&0) {
            check_bounds(dims, strides, start, lens)?;
        }
        let mut walk = Self { dims: Vec::new(), strides: Vec::new(), start };
        for (&dim, &stride) in dims.iter().zip(strides) {
            walk.push(dim, stride);
        }
        if walk.dims.is_empty() {
            walk.push_new(1, [0; N]);
        }
        if walk.dims.len() > MAX_DIMS {
            return Err(format!("more than {MAX_DIMS} dims that cannot be merged"));
        }
        Ok(walk)
    }

    /// A walk over `dims` to which operands of `operand` dims are broadcast, as ONNX does.
    pub fn broadcast(dims: &[usize], operands: [&[usize]; N]) -> Result<Self, String> {
        let mut strides = vec![[0isize; N]; dims.len()];
        let mut lens = [1; N];
        for (n, operand) in operands.iter().enumerate() {
            let missing = dims.len().checked_sub(operand.len()).ok_or_else(|| format!("{operand:?} does not broadcast to {dims:?}"))?;
            for axis in (0..operand.len()).rev() {
                if operand[axis] == dims[missing + axis] {
                    strides[missing + axis][n] = lens[n] as isize;
                } else if operand[axis] != 1 {
                    return Err(format!("{operand:?} does not broadcast to {dims:?}"));
                }
                lens[n] *= operand[axis];
            }
        }
        Self::new(dims, &strides, [0; N], lens)
    }

    fn push(&mut self, dim: usize, stride: [isize; N]) {
        if dim == 1 {
            return;
        }
        if let (Some(outer_dim), Some(outer)) = (self.dims.last_mut(), self.strides.last_mut())
            && (0..N).all(|n| stride[n].checked_mul(dim as isize) == Some(outer[n]))
        {
            *outer_dim *= dim;
            *outer = stride;
            return;
        }
        self.push_new(dim, stride);
    }

    fn push_new(&mut self, dim: usize, stride: [isize; N]) {
        self.dims.push(dim);
        self.strides.push(stride);
    }

    /// Calls `visit` with the runs that make up elements `range` of the output, in order.
    #[inline]
    pub fn runs(&self, range: Range<usize>, mut visit: impl FnMut(Run<N>)) {
        if range.is_empty() {
            return;
        }
        let inner = self.dims.len() - 1;
        let mut index = [0usize; MAX_DIMS];
        let mut rest = range.start;
        for axis in (0..=inner).rev() {
            index[axis] = rest % self.dims[axis];
            rest /= self.dims[axis];
        }
        let stride = self.strides[inner];
        let mut offset = [0isize; N];
        for (n, offset) in offset.iter_mut().enumerate() {
            *offset = self.start[n] as isize + (0..=inner).map(|axis| index[axis] as isize * self.strides[axis][n]).sum::<isize>();
        }
        let mut at = range.start;
        loop {
            let len = (self.dims[inner] - index[inner]).min(range.end - at);
            visit(Run { at: at - range.start, len, offset: offset.map(|offset| offset as usize), stride });
            at += len;
            if at == range.end {
                return;
            }
            // The run ended at the end of the innermost dim: rewind it and step the next outer one.
            move_by(&mut offset, &stride, -(index[inner] as isize));
            index[inner] = 0;
            for axis in (0..inner).rev() {
                index[axis] += 1;
                move_by(&mut offset, &self.strides[axis], 1);
                if index[axis] < self.dims[axis] {
                    break;
                }
                move_by(&mut offset, &self.strides[axis], -(self.dims[axis] as isize));
                index[axis] = 0;
            }
        }
    }
}

/// Moves every operand along one dim.
#[inline]
fn move_by<const N: usize>(offset: &mut [isize; N], stride: &[isize; N], steps: isize) {
    for (offset, stride) in offset.iter_mut().zip(stride) {
        *offset += steps * stride;
    }
}

/// Proves that no index leaves its operand: the extremes of a sum of independent terms are the sums of their extremes.
fn check_bounds<const N: usize>(dims: &[usize], strides: &[[isize; N]], start: [usize; N], lens: [usize; N]) -> Result<(), String> {
    for n in 0..N {
        let (mut low, mut high) = (start[n] as i128, start[n] as i128);
        for (&dim, stride) in dims.iter().zip(strides) {
            let reach = (dim as i128 - 1) * stride[n] as i128;
            low += reach.min(0);
            high += reach.max(0);
        }
        if low < 0 || high >= lens[n] as i128 {
            return Err(format!("elements {low}..={high} are read of an operand of {}", lens[n]));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offsets(walk: &Walk<1>, range: Range<usize>) -> Vec<usize> {
        let mut out = Vec::new();
        walk.runs(range, |run| {
            assert_eq!(run.at, out.len());
            out.extend((0..run.len as isize).map(|i| (run.offset[0] as isize + i * run.stride[0]) as usize));
        });
        out
    }

    #[test]
    fn merges_contiguous_dims() {
        let walk = Walk::broadcast(&[2, 3, 4], [&[2, 3, 4]]).unwrap();
        assert_eq!(walk.dims, [24]);
        let walk = Walk::broadcast(&[2, 3, 4], [&[3, 1]]).unwrap();
        assert_eq!(walk.dims, [2, 3, 4]);
        let walk = Walk::broadcast(&[5, 2, 3], [&[2, 3]]).unwrap();
        assert_eq!(walk.dims, [5, 6]);
    }

    #[test]
    fn every_range_is_a_part_of_the_whole() {
        let walk = Walk::new(&[3, 2, 4], &[[1], [-3], [6]], [3], [24]).unwrap();
        let whole = offsets(&walk, 0..24);
        let expected: Vec<usize> = (0..3).flat_map(|a| (0..2).flat_map(move |b| (0..4).map(move |c| 3 + a + 6 * c - 3 * b))).collect();
        assert_eq!(whole, expected);
        for start in 0..=24 {
            for end in start..=24 {
                assert_eq!(offsets(&walk, start..end), whole[start..end]);
            }
        }
    }

    #[test]
    fn refuses_reads_outside_the_operand() {
        assert!(Walk::new(&[4], &[[2]], [0], [7]).is_ok());
        assert!(Walk::new(&[4], &[[2]], [1], [7]).is_err());
        assert!(Walk::new(&[4], &[[-1]], [2], [7]).is_err());
        assert!(Walk::new(&[0, 4], &[[9], [9]], [0], [0]).is_ok());
        assert!(Walk::new(&[1], &[[0]], [0], [0]).is_err());
        assert!(Walk::new(&[2, 2], &[[isize::MAX], [isize::MAX]], [0], [isize::MAX as usize]).is_err());
        assert!(Walk::broadcast(&[2, 3], [&[2]]).is_err());
        assert!(Walk::broadcast(&[3], [&[2, 3]]).is_err());
    }
}
