//! Bytes seen as numbers.

mod sealed {
    pub trait Plain: Copy + Default + 'static {}
    impl Plain for u8 {}
    impl Plain for i8 {}
    impl Plain for u16 {}
    impl Plain for i32 {}
    impl Plain for i64 {}
    impl Plain for f32 {}
    impl Plain for f64 {}
}

/// A number for which every bit pattern is a value.
pub trait Plain: sealed::Plain {}
impl<T: sealed::Plain> Plain for T {}

/// The elements that `bytes` consist of; `None` when they are not aligned or not a whole number of elements.
pub fn view<T: Plain>(bytes: &[u8]) -> Option<&[T]> {
    // SAFETY: `Plain` is sealed and implemented for types without padding, for which every bit pattern is valid.
    let (head, body, tail) = unsafe { bytes.align_to::<T>() };
    (head.is_empty() && tail.is_empty()).then_some(body)
}

/// As [`view`], to write.
pub fn view_mut<T: Plain>(bytes: &mut [u8]) -> Option<&mut [T]> {
    // SAFETY: as in `view`.
    let (head, body, tail) = unsafe { bytes.align_to_mut::<T>() };
    (head.is_empty() && tail.is_empty()).then_some(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misaligned_or_cut_bytes_are_no_view() {
        let words = [1i32, -2, 3];
        // SAFETY: twelve initialised bytes.
        let bytes = unsafe { std::slice::from_raw_parts(words.as_ptr().cast::<u8>(), 12) };
        assert_eq!(view::<i32>(bytes), Some(&words[..]));
        assert_eq!(view::<i32>(&bytes[1..5]), None);
        assert_eq!(view::<i32>(&bytes[..7]), None);
        assert_eq!(view::<i8>(&bytes[1..3]).map(<[i8]>::len), Some(2));
    }
}
