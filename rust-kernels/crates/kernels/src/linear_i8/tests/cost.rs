//! Forms are offered where they can be used, and ordered as measurements order them.

use crate::linear_i8::*;
use neural_engine_isa::Tier;

fn best(isa: Isa, m: usize, k: usize, zeros: f64, panels: usize) -> FormI8 {
    let blocks = ((1.0 - zeros) * (m.div_ceil(4) * k) as f64) as usize;
    candidates(isa, m, k, blocks, panels).unwrap()[0].form
}

#[test]
fn below_tiles_the_zeros_decide() {
    for tier in [Tier::Scalar, Tier::Avx2, Tier::Avx512Vnni] {
        let isa = Isa::capped(tier);
        // Products in pairs gain even where nothing is left out.
        let in_pairs = isa.avx2().is_some() && isa.avx512_vnni().is_none() && !isa.has_avx_vnni();
        for zeros in [0.0, 0.35] {
            assert_eq!(best(isa, 768, 768, zeros, 2), if in_pairs { FormI8::Sparse4x1 } else { FormI8::Dense });
        }
        assert_eq!(best(isa, 768, 768, 0.6, 2), FormI8::Sparse4x1);
        assert_eq!(best(isa, 766, 768, 0.9, 2), FormI8::Dense, "rows are no multiple of four");
        assert!(candidates(isa, 768, 768, 0, 1).unwrap().iter().all(|c| matches!(c.form, FormI8::Dense | FormI8::Sparse4x1)));
    }
}

#[test]
fn with_tiles_zeros_are_skipped_only_where_there_are_many() {
    let isa = Isa::best();
    if isa.amx().is_none() {
        eprintln!("not tested: this CPU has no tiles, or may not use them");
        return;
    }
    assert_eq!(best(isa, 768, 768, 0.0, 2), FormI8::Tiled);
    assert_eq!(best(isa, 3072, 768, 0.7, 2), FormI8::Compressed4x1);
    assert_eq!(best(isa, 768, 768, 0.9, 1), FormI8::Sparse4x1);
    assert_eq!(best(isa, 2, 768, 0.9, 2), FormI8::Dense, "most of a tile would be empty");
}

#[test]
fn impossible_weights_are_refused() {
    assert!(candidates(Isa::best(), 4, 4, 5, 1).is_err());
    assert!(candidates(Isa::best(), 0, 4, 0, 1).is_err());
}
