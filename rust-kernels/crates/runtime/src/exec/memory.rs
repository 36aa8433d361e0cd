//! From checked operands to slices.
//!
//! Every function here is `unsafe` for one reason: only [`Prepared`](crate::validate::Prepared) proves that offsets and lengths lie inside
//! their memory and that no two threads are given overlapping bytes of which one may write.

use crate::bytes::Plain;
use crate::validate::buffers::{Base, Loc, Panels, Rows};
use crate::weights::WeightSet;
use std::ops::Range;

/// The memories of one run as one thread sees them.
#[derive(Clone, Copy)]
pub struct Bases<'a> {
    /// Staged inputs.
    pub inputs: *const u8,
    /// Staged outputs.
    pub outputs: *mut u8,
    /// Shared by all threads.
    pub arena: *mut u8,
    /// This thread's own.
    pub scratch: *mut u8,
    /// The program's constants.
    pub constants: *const u8,
    /// Constants that programs share.
    pub weights: &'a WeightSet,
}

/// Where a unit's panels are.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Number of the panel in its space.
    pub panel: usize,
    /// Number of the panel in its unit.
    pub local: usize,
}

impl<'a> Bases<'a> {
    /// The first byte of a location. Bytes of inputs, constants and weights are never written: validation refuses it.
    pub fn at(&self, loc: Loc) -> *mut u8 {
        let base = match loc.base {
            Base::Inputs => self.inputs.cast_mut(),
            Base::Outputs => self.outputs,
            Base::Arena => self.arena,
            Base::Scratch => self.scratch,
            Base::Constants => self.constants.cast_mut(),
            Base::Weight(weight) => match self.weights.tensor(weight) {
                Ok(tensor) => tensor.bytes.as_ptr().cast_mut(),
                // Validation proved the entry; a null pointer would only be reached by a bug there.
                Err(_) => std::ptr::null_mut(),
            },
        };
        base.wrapping_add(loc.offset)
    }

    fn panel(&self, panels: &Panels, place: Place) -> *mut u8 {
        let number = if panels.loc.base == Base::Scratch { place.local } else { place.panel };
        self.at(panels.loc).wrapping_add(number * panels.panel_bytes())
    }

    /// All elements of a row-major operand.
    ///
    /// # Safety
    /// The operand belongs to the running program, has `T`'s width, and nothing writes it during `'a`.
    pub unsafe fn rows<T: Plain>(&self, rows: &Rows) -> &'a [T] {
        debug_assert_eq!(size_of::<T>(), rows.dtype.size());
        // SAFETY: the caller's contract; validation proved the range and its alignment.
        unsafe { std::slice::from_raw_parts(self.at(rows.loc).cast(), rows.len) }
    }

    /// One panel to read.
    ///
    /// # Safety
    /// As for [`rows`](Self::rows), of this panel.
    pub unsafe fn read<T: Plain>(&self, panels: &Panels, place: Place) -> &'a [T] {
        debug_assert_eq!(size_of::<T>(), panels.dtype.size());
        // SAFETY: the caller's contract; validation proved the range and its alignment.
        unsafe { std::slice::from_raw_parts(self.panel(panels, place).cast(), panels.panel_len()) }
    }

    /// One panel to write.
    ///
    /// # Safety
    /// As for [`rows`](Self::rows), and nothing else uses this panel during `'a`.
    pub unsafe fn write<T: Plain>(&self, panels: &Panels, place: Place) -> &'a mut [T] {
        debug_assert_eq!(size_of::<T>(), panels.dtype.size());
        // SAFETY: the caller's contract; validation proved the range and its alignment.
        unsafe { std::slice::from_raw_parts_mut(self.panel(panels, place).cast(), panels.panel_len()) }
    }

    /// A range of one panel's elements to write.
    ///
    /// # Safety
    /// As for [`rows`](Self::rows), and nothing else uses these elements during `'a`; `cells` lies inside a panel.
    pub unsafe fn write_rows<T: Plain>(&self, panels: &Panels, place: Place, cells: Range<usize>) -> &'a mut [T] {
        debug_assert!(size_of::<T>() == panels.dtype.size() && cells.end <= panels.panel_len());
        let first = self.panel(panels, place).cast::<T>().wrapping_add(cells.start);
        // SAFETY: the caller's contract; validation proved the range and its alignment.
        unsafe { std::slice::from_raw_parts_mut(first, cells.len()) }
    }

    /// The first `count` panels of a space, one behind the other, to read.
    ///
    /// # Safety
    /// As for [`rows`](Self::rows); `count` is at most the panels of the space, and the operand is not in scratch.
    pub unsafe fn read_all<T: Plain>(&self, panels: &Panels, count: usize) -> &'a [T] {
        debug_assert_eq!(size_of::<T>(), panels.dtype.size());
        // SAFETY: the caller's contract; validation proved the range and its alignment.
        unsafe { std::slice::from_raw_parts(self.at(panels.loc).cast(), count * panels.panel_len()) }
    }
}
