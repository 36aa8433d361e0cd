//! `binary`: y = f(a, b) with both operands broadcast. Arithmetic, comparison, logic and bits.

use super::element::{Bool, Element};
use super::numeric::{Arithmetic, Numeric, dispatch};
use super::spec::{GenericError, Kernel, Plan, Step, expect_dtype};
use super::tensor::{Inputs, Outputs};
use super::walk::Walk;
use crate::DType;
use serde::Deserialize;
use std::marker::PhantomData;
use std::ops::Range;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Attrs {
    /// Which function.
    function: Function,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Function {
    Add,
    Sub,
    Mul,
    Div,
    /// Remainder with the sign of the dividend.
    Rem,
    /// Remainder with the sign of the divisor.
    Mod,
    Pow,
    Max,
    Min,
    /// a below 0 is multiplied by b.
    Prelu,
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    And,
    Or,
    Xor,
    BitwiseAnd,
    BitwiseOr,
    BitwiseXor,
    /// Shifting by the width or more gives 0.
    ShiftLeft,
    ShiftRight,
}

pub(super) fn plan(step: &Step<'_>) -> Result<Plan, String> {
    use Function::*;
    step.arity(2..=2, 1)?;
    let (a, b, y) = (step.x(0)?, step.x(1)?, step.y(0));
    let function = step.attrs::<Attrs>()?.function;
    expect_dtype("second input", b.dtype, a.dtype)?;
    let compares = matches!(function, Equal | Less | LessOrEqual | Greater | GreaterOrEqual);
    expect_dtype("output", y.dtype, if compares { DType::Bool } else { a.dtype })?;
    let walk = Walk::broadcast(&y.dims, [&a.dims, &b.dims])?;
    let size = y.len();
    match (function, a.dtype) {
        (Equal, DType::Bool) => zip(walk, size, |a: Bool, b: Bool| Bool::from(a.is_true() == b.is_true())),
        (And | Or | Xor, DType::Bool) => zip(walk, size, logic(function)),
        (And | Or | Xor, _) => Err(format!("{function:?} needs bool")),
        // The common case gets loops of its own; what is rare calls through a pointer, which keeps the code small.
        (Add, DType::F32) => zip(walk, size, |a: f32, b: f32| a + b),
        (Sub, DType::F32) => zip(walk, size, |a: f32, b: f32| a - b),
        (Mul, DType::F32) => zip(walk, size, |a: f32, b: f32| a * b),
        (Div, DType::F32) => zip(walk, size, |a: f32, b: f32| a / b),
        _ if compares => dispatch!(numeric, a.dtype, "input", T => zip(walk, size, compare::<T>(function))),
        (BitwiseAnd | BitwiseOr | BitwiseXor | ShiftLeft | ShiftRight, _) => dispatch!(integer, a.dtype, "input", T => {
            let f: fn(T, T) -> T = match function {
                BitwiseAnd => |a, b| a & b,
                BitwiseOr => |a, b| a | b,
                BitwiseXor => |a, b| a ^ b,
                ShiftLeft => |a, b| a.checked_shl(distance(b)).unwrap_or(0),
                _ => |a, b| a.checked_shr(distance(b)).unwrap_or(0),
            };
            zip(walk, size, f)
        }),
        _ => dispatch!(numeric, a.dtype, "input", T => {
            let f = arithmetic::<<T as Numeric>::Wide>(function)?;
            zip(walk, size, move |a: T, b: T| T::narrow(f(a.widen(), b.widen())))
        }),
    }
}

/// How far to shift; a negative distance counts as one too large.
fn distance<T: TryInto<u32>>(by: T) -> u32 {
    by.try_into().unwrap_or(u32::MAX)
}

fn logic(function: Function) -> fn(Bool, Bool) -> Bool {
    match function {
        Function::And => |a, b| Bool::from(a.is_true() & b.is_true()),
        Function::Or => |a, b| Bool::from(a.is_true() | b.is_true()),
        _ => |a, b| Bool::from(a.is_true() ^ b.is_true()),
    }
}

fn compare<T: Numeric>(function: Function) -> fn(T, T) -> Bool {
    match function {
        Function::Equal => |a, b| Bool::from(a.widen() == b.widen()),
        Function::Less => |a, b| Bool::from(a.widen() < b.widen()),
        Function::LessOrEqual => |a, b| Bool::from(a.widen() <= b.widen()),
        Function::Greater => |a, b| Bool::from(a.widen() > b.widen()),
        _ => |a, b| Bool::from(a.widen() >= b.widen()),
    }
}

fn arithmetic<W: Arithmetic>(function: Function) -> Result<fn(W, W) -> W, String> {
    Ok(match function {
        Function::Add => W::add,
        Function::Sub => W::sub,
        Function::Mul => W::mul,
        Function::Div => W::div,
        Function::Rem => W::rem,
        Function::Mod => W::modulo,
        Function::Pow => W::pow,
        Function::Max => W::larger,
        Function::Min => W::smaller,
        Function::Prelu => |a, b| if a < W::ZERO { a.mul(b) } else { a },
        other => return Err(format!("{other:?} is not arithmetic")),
    })
}

fn zip<A: Element, Y: Element, F>(walk: Walk<2>, size: usize, f: F) -> Result<Plan, String>
where
    F: Fn(A, A) -> Y + Send + Sync + 'static,
{
    Plan::new(size, size, Zip { walk, f, types: PhantomData })
}

struct Zip<A, Y, F> {
    walk: Walk<2>,
    f: F,
    types: PhantomData<(A, Y)>,
}

impl<A: Element, Y: Element, F: Fn(A, A) -> Y + Send + Sync> Kernel for Zip<A, Y, F> {
    fn run(&self, units: Range<usize>, x: &Inputs<'_>, y: &mut Outputs<'_>) -> Result<(), GenericError> {
        let (a, b, y) = (x.get::<A>(0)?, x.get::<A>(1)?, y.take::<Y>(0)?);
        let f = &self.f;
        // Broadcasting only makes strides of 0 and 1 on the innermost dim.
        self.walk.runs(units, |run| {
            let y = &mut y[run.at..run.at + run.len];
            let [at_a, at_b] = run.offset;
            match run.stride {
                [0, 0] => y.fill(f(a[at_a], b[at_b])),
                [0, _] => {
                    let a = a[at_a];
                    y.iter_mut().zip(&b[at_b..at_b + run.len]).for_each(|(y, &b)| *y = f(a, b));
                }
                [_, 0] => {
                    let b = b[at_b];
                    y.iter_mut().zip(&a[at_a..at_a + run.len]).for_each(|(y, &a)| *y = f(a, b));
                }
                _ => {
                    let operands = a[at_a..at_a + run.len].iter().zip(&b[at_b..at_b + run.len]);
                    y.iter_mut().zip(operands).for_each(|(y, (&a, &b))| *y = f(a, b));
                }
            }
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::DType;
    use crate::element::{Bf16, Bool, Element, F16};
    use crate::testing::{run, spec, try_check};
    use serde_json::json;

    fn pairs<T: Element, Y: Element>(function: &str, a: &[T], b: &[T]) -> Vec<Y> {
        run("binary", json!({ "function": function }), &[&spec(&[a.len()], a), &spec(&[b.len()], b)], &[a.len()])
    }

    #[test]
    fn broadcasts_both_operands() {
        let a = [10.0f32, 20.0];
        let b = [1.0f32, 2.0, 3.0];
        let y: Vec<f32> = run("binary", json!({"function": "add"}), &[&spec(&[2, 1], &a), &spec(&[3], &b)], &[2, 3]);
        assert_eq!(y, [11.0, 12.0, 13.0, 21.0, 22.0, 23.0]);
        let y: Vec<f32> = run("binary", json!({"function": "sub"}), &[&spec(&[], &a[..1]), &spec(&[3], &b)], &[3]);
        assert_eq!(y, [9.0, 8.0, 7.0]);
        let y: Vec<f32> = run("binary", json!({"function": "mul"}), &[&spec(&[3], &b), &spec(&[1], &b[1..2])], &[2, 3]);
        assert_eq!(y, [2.0, 4.0, 6.0, 2.0, 4.0, 6.0]);
    }

    #[test]
    fn integer_division_never_traps() {
        assert_eq!(pairs::<i32, i32>("div", &[7, -7, 1, i32::MIN], &[2, 2, 0, -1]), [3, -3, 0, i32::MIN]);
        assert_eq!(pairs::<i8, i8>("mod", &[7, -7, 7, -7, 1, i8::MIN], &[3, 3, -3, -3, 0, -1]), [1, 2, -2, -1, 0, 0]);
        assert_eq!(pairs::<i8, i8>("rem", &[7, -7, 7, -7, 1, i8::MIN], &[3, 3, -3, -3, 0, -1]), [1, -1, 1, -1, 0, 0]);
        assert_eq!(pairs::<u64, u64>("mod", &[7, u64::MAX], &[0, 10]), [0, 5]);
    }

    #[test]
    fn float_remainders_take_the_sign_they_should() {
        assert_eq!(pairs::<f32, f32>("mod", &[-4.3, 4.3], &[2.0, -2.0]), [-4.3f32 % 2.0 + 2.0, 4.3f32 % 2.0 - 2.0]);
        assert_eq!(pairs::<f32, f32>("rem", &[-4.3, 4.3], &[2.0, -2.0]), [-4.3f32 % 2.0, 4.3f32 % 2.0]);
    }

    #[test]
    fn powers() {
        assert_eq!(pairs::<i32, i32>("pow", &[2, -3, 5, 1, -1, 2], &[10, 3, 0, -1, -3, -1]), [1024, -27, 1, 1, -1, 0]);
        assert_eq!(pairs::<f64, f64>("pow", &[2.0, 4.0], &[-1.0, 0.5]), [0.5, 2.0]);
        assert_eq!(pairs::<u8, u8>("pow", &[2, 3], &[8, 5]), [0, 243]);
    }

    #[test]
    fn extremes_pass_nan_on() {
        let y: Vec<f32> = pairs("max", &[f32::NAN, 1.0, 2.0], &[1.0, f32::NAN, 3.0]);
        assert!(y[0].is_nan() && y[1].is_nan() && y[2] == 3.0);
        let y: Vec<f32> = pairs("min", &[f32::NAN, 1.0, 2.0], &[1.0, f32::NAN, 3.0]);
        assert!(y[0].is_nan() && y[1].is_nan() && y[2] == 2.0);
    }

    #[test]
    fn halves_compare_as_numbers() {
        let (zero, minus, nan) = (F16(0), F16(0x8000), F16(0x7e00));
        assert_eq!(pairs::<F16, Bool>("equal", &[zero, nan], &[minus, nan]), [Bool(1), Bool(0)]);
        assert_eq!(pairs::<Bf16, Bool>("less", &[Bf16::from_f32(-2.0)], &[Bf16::from_f32(1.0)]), [Bool(1)]);
    }

    #[test]
    fn any_non_zero_byte_is_true() {
        assert_eq!(pairs::<Bool, Bool>("equal", &[Bool(2), Bool(0)], &[Bool(1), Bool(3)]), [Bool(1), Bool(0)]);
        assert_eq!(pairs::<Bool, Bool>("and", &[Bool(2), Bool(0)], &[Bool(1), Bool(1)]), [Bool(1), Bool(0)]);
        assert_eq!(pairs::<Bool, Bool>("xor", &[Bool(2), Bool(0)], &[Bool(1), Bool(1)]), [Bool(0), Bool(1)]);
    }

    #[test]
    fn shifts_of_the_whole_width_give_zero() {
        assert_eq!(pairs::<u8, u8>("shift_left", &[1, 1, 255], &[3, 8, 1]), [8, 0, 254]);
        assert_eq!(pairs::<u32, u32>("shift_right", &[8, 8, u32::MAX], &[3, 32, u32::MAX]), [1, 0, 0]);
        assert_eq!(pairs::<i32, i32>("shift_left", &[1], &[-1]), [0]);
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let x = |a: DType, b: DType| [Some((a, vec![2])), Some((b, vec![2]))];
        let op = |function: &str| json!({ "function": function });
        assert!(try_check("binary", op("add"), &x(DType::F32, DType::F32), &[(DType::F32, vec![2])]).is_ok());
        assert!(try_check("binary", op("add"), &x(DType::F32, DType::F64), &[(DType::F32, vec![2])]).is_err());
        assert!(try_check("binary", op("add"), &x(DType::F32, DType::F32), &[(DType::F32, vec![3])]).is_err());
        assert!(try_check("binary", op("less"), &x(DType::F32, DType::F32), &[(DType::F32, vec![2])]).is_err());
        assert!(try_check("binary", op("and"), &x(DType::U8, DType::U8), &[(DType::U8, vec![2])]).is_err());
        assert!(try_check("binary", op("bitwise_and"), &x(DType::F32, DType::F32), &[(DType::F32, vec![2])]).is_err());
        assert!(try_check("binary", op("add"), &x(DType::Bool, DType::Bool), &[(DType::Bool, vec![2])]).is_err());
    }
}
