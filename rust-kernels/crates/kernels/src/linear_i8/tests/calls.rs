//! Wrong calls are refused by name; rows are shared out evenly.

use super::case::Case;
use crate::linear_i8::*;
use crate::panel::{Residual, TOKENS};

/// The argument that a call names in its error.
fn named<T: std::fmt::Debug>(result: Result<T, KernelError>) -> &'static str {
    match result {
        Err(KernelError::Length { name, .. } | KernelError::Invalid { name, .. }) => name,
        other => panic!("{other:?}"),
    }
}

#[test]
fn wrong_lengths_and_rows_are_refused_by_name() {
    let case = Case::new(8, 6, 0, 1, false, 51);
    let x = &case.panels[0];
    case.forms(|layer, form| {
        let isa = Isa::best();
        let mut y = vec![0u8; 8 * TOKENS];
        let mut scratch = vec![0; layer.scratch_len(1)];
        let mut call = |layer: &LinearI8<'_>, rows: Range<usize>, x: &[u8], y: &mut [u8], residual| {
            named(layer.run_u8(isa, rows, &mut [Io { x, codes: None, y, residual }], &mut scratch))
        };
        assert_eq!(call(&LinearI8 { init: &case.init[1..], ..layer }, 0..8, x, &mut y, Residual::None), "init");
        assert_eq!(call(&LinearI8 { mul: &case.mul[1..], ..layer }, 0..8, x, &mut y, Residual::None), "mul");
        assert_eq!(call(&LinearI8 { add: &[], ..layer }, 0..8, x, &mut y, Residual::None), "add");
        assert_eq!(call(&layer, 0..8, &x[1..], &mut y, Residual::None), "x");
        assert_eq!(call(&layer, 0..4, x, &mut y, Residual::None), "y");
        assert_eq!(call(&layer, 0..8, x, &mut y, Residual::Panel(&case.residual[1..])), "residual");
        assert_eq!(call(&layer, 0..8, x, &mut y, Residual::InPlace), "residual");
        for (start, end) in [(0, 9), (1, 8), (0, 7), (4, 2), (12, 12)] {
            let rows = start..end;
            assert_eq!(call(&layer, rows, x, &mut y, Residual::None), "rows");
        }
        assert_eq!(named(layer.run_u8(isa, 0..8, &mut [], &mut [])), "ios");
        if form == "dense" {
            let mut ios = [Io { x, codes: None, y: &mut y, residual: Residual::None }];
            assert_eq!(named(layer.run_u8(isa, 0..8, &mut ios, &mut scratch[1..])), "scratch");
        }
    });
}

#[test]
fn outputs_that_contradict_each_other_are_refused() {
    let case = Case::new(4, 4, 0, 1, false, 52);
    let table = [0; 256];
    let code = Some(Code { scale: 1.0, zero: 0 });
    case.forms(|layer, _| {
        let mut scratch = vec![0; layer.scratch_len(1)];
        let (mut f, mut q) = (vec![0f32; 4 * TOKENS], vec![0u8; 4 * TOKENS]);
        let x = &case.panels[0][..];
        let mut to_f32 = |layer: LinearI8<'_>| {
            named(layer.run_f32(Isa::best(), 0..4, &mut [Io { x, codes: None, y: &mut f, residual: Residual::None }], &mut scratch))
        };
        assert_eq!(to_f32(LinearI8 { code, ..layer }), "code");
        assert_eq!(to_f32(LinearI8 { table: Some(&table), ..layer }), "table");
        let mut to_u8 = |layer: LinearI8<'_>| {
            named(layer.run_u8(Isa::best(), 0..4, &mut [Io { x, codes: None, y: &mut q, residual: Residual::None }], &mut scratch))
        };
        assert_eq!(to_u8(LinearI8 { code, ..layer }), "code");
        assert_eq!(to_u8(LinearI8 { act: Activation::Relu, ..layer }), "code");
        assert_eq!(to_u8(LinearI8 { act: Activation::Relu, code, table: Some(&table), ..layer }), "table");
    });
}

#[test]
fn sums_that_could_leave_32_bits_are_named() {
    let mut case = Case::new(8, 5, 0, 1, false, 55);
    case.weight.fill(0);
    case.weight[6 * 5..7 * 5].copy_from_slice(&[100, -50, 0, 27, -128]);
    let (least, greatest) = (-255 * 178, 255 * 127);
    for (init, fits) in
        [(0, true), (i32::MAX - greatest, true), (i32::MAX - greatest + 1, false), (i32::MIN - least, true), (i32::MIN - least - 1, false)]
    {
        case.init.fill(0);
        case.init[6] = init;
        case.forms(|layer, form| match layer.check_sums() {
            Ok(()) => assert!(fits, "{form} {init}"),
            Err(KernelError::Invalid { name: "init", reason }) => assert!(!fits && reason.contains("row 6"), "{form} {init}: {reason}"),
            Err(other) => panic!("{other}"),
        });
    }
    case.forms(|layer, _| assert_eq!(named(LinearI8 { init: &[], ..layer }.check_sums()), "init"));
}

#[test]
fn parts_cover_all_rows_once_and_cost_about_the_same() {
    for (m, zeros) in [(4, 50), (64, 0), (100, 80), (400, 99)] {
        let mut case = Case::new(m, 60, zeros, 1, false, 53);
        // The first quarter is dense, whatever the rest.
        case.weight[..m / 4 * 60].fill(1);
        case.forms(|layer, form| {
            for parts in [1, 2, 3, 8, 200] {
                let rows: Vec<_> = (0..parts).map(|part| layer.weight.rows_of(part, parts)).collect();
                assert_eq!((rows[0].start, rows[parts - 1].end), (0, m));
                assert!(rows.windows(2).all(|pair| pair[0].end == pair[1].start));
                assert!(rows.iter().all(|rows| rows.start <= rows.end && (rows.end == m || rows.end.is_multiple_of(ROW_GRANULE))));
                if let WeightI8::Sparse(weight) = layer.weight {
                    let cost = |rows: &Range<usize>| weight.start(rows.end / 4) - weight.start(rows.start / 4) + rows.len() / 4;
                    let (all, most) = (cost(&(0..m)), rows.iter().map(cost).max().unwrap());
                    // A part is over its share by one row-block at most: 15 groups of 60 inputs and its epilogue.
                    assert!(most <= all / parts + 17, "{form}: {most} of {all} in {parts} parts");
                }
            }
        });
    }
}

#[test]
#[should_panic(expected = "part 2 of 2")]
fn a_part_beyond_the_last_is_a_mistake() {
    let case = Case::new(4, 4, 0, 1, false, 54);
    case.forms(|layer, _| assert!(layer.weight.rows_of(2, 2).is_empty()));
}
