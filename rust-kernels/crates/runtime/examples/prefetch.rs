//! What it gives to prefetch weights: every kernel that does, at several distances, with weights from L2, from L3 and from memory.
//!
//! `cargo run --release -p neural-engine-runtime --example prefetch [-- --quick]`; `pnpm bench prefetch` makes a table of it. Prints a line
//! of JSON for each kernel, source of weights and distance: microseconds of a pass over the weights and how many times as fast it is as without
//! prefetch. Distances run in turn; a pass is the sum of the fastest runs of each of its products. Kernels that this CPU has no
//! instructions for have a line too.
//!
//! Weights are those of DistilBERT-base layers, 80% zeros where they are sparse; products are of 128 tokens. Weights lie in small
//! pages, as in the mapped file; where the system gives huge pages to who asks, the kernel's own distance is timed with weights in those too.

use neural_engine_isa::{Isa, Tier};
use neural_engine_kernels::Activation;
use neural_engine_kernels::linear_f32::{DenseF32, LinearF32, WeightF32};
use neural_engine_kernels::linear_i8::{Compressed4x1U8S8, DenseU8S8, LinearI8, Sparse4x1U8S8, WeightI8};
use neural_engine_kernels::panel::{Io, Residual, TOKENS};
use neural_engine_runtime::sys::clock::thread_time;
use neural_engine_runtime::sys::memory::Memory;
use neural_engine_runtime::sys::topology::caches;
use neural_engine_testkit::Rng;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Rows × inputs of the products of a layer.
const LAYER: [(usize, usize); 6] = [(768, 768), (768, 768), (768, 768), (768, 768), (3072, 768), (768, 3072)];
/// Features of the widest panel.
const WIDEST: usize = 3072;
/// 128 tokens.
const PANELS: usize = 2;
/// Share of 4x1 blocks that sparse weights keep.
const KEPT: f64 = 0.2;
/// Weights are spread over so many bytes at most.
const MOST: usize = 1 << 30;
/// Runs at least of each product of each contestant.
const ROUNDS: usize = 5;

#[derive(Clone, Copy)]
enum Form {
    Sparse,
    Compressed,
    Dense,
    F32,
}

/// Every kernel that prefetches, by the tier and the form of weights that select it, with its name for CPUs without the tier.
const KERNELS: [(Tier, Form, &str); 6] = [
    (Tier::Amx, Form::Compressed, "spmm_u8s8_4x1_amx"),
    (Tier::Avx512Vnni, Form::Sparse, "spmm_u8s8_4x1_avx512_vnni"),
    (Tier::Avx512Vnni, Form::F32, "dense_f32_avx512"),
    (Tier::Avx2, Form::Sparse, "spmm_u8s8_4x1_avx2"),
    (Tier::Avx2, Form::Dense, "dense_u8s8_4x16_avx2"),
    (Tier::Avx2, Form::F32, "dense_f32_avx2"),
];

fn main() {
    let budget = Duration::from_millis(if std::env::args().any(|arg| arg == "--quick") { 3000 } else { 10_000 });
    for (tier, form, name) in KERNELS {
        if Isa::available().iter().any(|isa| isa.tier() == tier) {
            measure(Isa::capped(tier), form, name, budget);
        } else {
            println!("{}", json!({ "kernel": name, "missing": format!("this CPU has no {}", tier.name()) }));
        }
    }
}

/// Where weights come from: fewest and most bytes of them that are multiplied by in turn.
fn sources() -> [(&'static str, usize, usize); 3] {
    let caches = caches();
    let (l2, l3) = (caches.l2, caches.l3);
    // Of L3 half is left to others, and beside what lies in small pages the same lies in huge ones.
    [("L2", 1, l2 / 2), ("L3", (l3 / 5).max(2 * l2), l3 / 2), ("memory", 2 * l3.max(l2), MOST)]
}

fn measure(isa: Isa, form: Form, name: &str, budget: Duration) {
    let mut rng = Rng::new(1);
    let packed: Vec<_> = [LAYER[0], LAYER[4], LAYER[5]].map(|shape| (shape, pack(form, shape, &mut rng))).into();
    for (from, least, most) in sources() {
        let plan = Plan::new(&packed, least);
        if plan.bytes > most {
            println!("{}", json!({ "kernel": name, "from": from, "missing": format!("{} bytes of weights do not fit", plan.bytes) }));
            continue;
        }
        let (small, huge) = (plan.place(false), plan.place(true));
        let (weights, in_huge) = (plan.view(form, &small), plan.view(form, &huge));
        let mut contestants: Vec<_> = distances(form).iter().map(|(ahead, multiply)| (*ahead, *multiply, &weights)).collect();
        let chosen = own(&weights[0], isa);
        let own = contestants.iter().find(|(ahead, ..)| *ahead == chosen).expect("a kernel's distance is among those measured").1;
        if asks_for_huge_pages() {
            contestants.push((chosen, own, &in_huge));
        }
        let times = race(isa, &contestants, budget);
        for (i, (ahead, ..)) in contestants.iter().enumerate() {
            let ahead: Value = if matches!(form, Form::F32) && *ahead > 0 { "next tile".into() } else { (*ahead).into() };
            let line = json!({
                "kernel": name, "from": from, "bytes": plan.bytes, "ahead": ahead, "chosen": contestants[i].0 == chosen,
                "hugePages": std::ptr::eq(contestants[i].2, &in_huge), "micros": times[i] * 1e6, "ratio": times[0] / times[i],
            });
            println!("{line}");
        }
    }
}

/// Seconds of each contestant's pass. Everyone's turn is one product, so that all of them meet what slows the machine down for a while:
/// of the weights that are gone through in a round each contestant has every so many, in another round others.
fn race(isa: Isa, contestants: &[(usize, Multiply, &Vec<Weight<'_>>)], budget: Duration) -> Vec<f64> {
    let mut operands = Operands::new();
    let mut fastest: Vec<_> = contestants.iter().map(|(.., weights)| vec![f64::INFINITY; weights.len()]).collect();
    let (started, mut round) = (Instant::now(), 0);
    while round < ROUNDS * contestants.len() || started.elapsed() < budget {
        for i in 0..fastest[0].len() {
            let at = (i + round) % contestants.len();
            let (_, multiply, weights) = contestants[at];
            let began = thread_time();
            multiply(isa, &weights[i], &mut operands);
            fastest[at][i] = fastest[at][i].min((thread_time() - began).as_secs_f64());
        }
        round += 1;
    }
    fastest.iter().map(|times| times.iter().sum()).collect()
}

/// Whether memory is in small pages unless huge ones are asked for.
fn asks_for_huge_pages() -> bool {
    std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled").is_ok_and(|text| text.contains("[madvise]"))
}

/// A shape and its packed weight.
type Packed = ((usize, usize), Vec<u8>);

/// Which weights are multiplied by in turn, and where each begins.
struct Plan<'a> {
    weights: Vec<(usize, &'a Packed)>,
    bytes: usize,
}

impl<'a> Plan<'a> {
    /// Layers of weights until there are `least` bytes of them.
    fn new(packed: &'a [Packed], least: usize) -> Plan<'a> {
        let mut plan = Plan { weights: Vec::new(), bytes: 0 };
        for shape in LAYER.iter().cycle() {
            if plan.bytes >= least {
                break;
            }
            let weight = packed.iter().find(|(packed, _)| packed == shape).expect("every shape is packed");
            plan.weights.push((plan.bytes, weight));
            plan.bytes += weight.1.len().next_multiple_of(64);
        }
        plan
    }

    fn place(&self, huge: bool) -> Memory {
        let mut memory = Memory::new(self.bytes, huge).expect("there is memory for the weights");
        for (at, (_, packed)) in &self.weights {
            memory.bytes_mut()[*at..at + packed.len()].copy_from_slice(packed);
        }
        memory
    }

    fn view<'m>(&self, form: Form, memory: &'m Memory) -> Vec<Weight<'m>> {
        let bytes = |at: usize, len: usize| &memory.bytes()[at..at + len];
        self.weights.iter().map(|(at, (shape, packed))| Weight::view(form, *shape, bytes(*at, packed.len()))).collect()
    }
}

/// A packed weight of random values.
fn pack(form: Form, (m, k): (usize, usize), rng: &mut Rng) -> Vec<u8> {
    let mut codes = vec![0i8; m * k];
    for block in 0..m / 4 {
        for input in 0..k {
            if matches!(form, Form::Dense | Form::F32) || rng.chance(KEPT) {
                (0..4).for_each(|row| codes[(4 * block + row) * k + input] = rng.below(254) as i8 | 1);
            }
        }
    }
    match form {
        Form::Sparse => Sparse4x1U8S8::pack(m, k, &codes),
        Form::Compressed => Compressed4x1U8S8::pack(m, k, &codes),
        Form::Dense => DenseU8S8::pack(m, k, &codes),
        Form::F32 => Ok(DenseF32::pack(m, k, &codes.iter().map(|&code| f32::from(code) / 128.0).collect::<Vec<_>>())),
    }
    .expect("the shape fits every form")
}

enum Weight<'a> {
    I8(WeightI8<'a>),
    F32(DenseF32<'a>),
}

impl<'a> Weight<'a> {
    fn view(form: Form, (m, k): (usize, usize), bytes: &'a [u8]) -> Weight<'a> {
        let view = || {
            Ok(match form {
                Form::Sparse => Weight::I8(WeightI8::Sparse(Sparse4x1U8S8::view(m, k, bytes)?)),
                Form::Compressed => Weight::I8(WeightI8::Compressed(Compressed4x1U8S8::view(m, k, bytes)?)),
                Form::Dense => Weight::I8(WeightI8::Dense(DenseU8S8::view(m, k, bytes)?)),
                Form::F32 => Weight::F32(DenseF32::view(m, k, bytes)?),
            })
        };
        let viewed: Result<_, neural_engine_kernels::KernelError> = view();
        viewed.expect("just packed")
    }
}

/// What a product needs beside its weight.
struct Operands {
    init: Vec<i32>,
    mul: Vec<f32>,
    add: Vec<f32>,
    bytes: [(Vec<u8>, Vec<u8>); PANELS],
    floats: [(Vec<f32>, Vec<f32>); PANELS],
    scratch: Vec<u8>,
}

impl Operands {
    fn new() -> Operands {
        let mut rng = Rng::new(2);
        let cells = WIDEST * TOKENS;
        Operands {
            init: vec![0; WIDEST],
            mul: vec![5e-4; WIDEST],
            add: vec![1.0; WIDEST],
            bytes: std::array::from_fn(|_| (rng.bytes(cells), vec![0; cells])),
            floats: std::array::from_fn(|_| ((0..cells).map(|_| rng.f32(-1.0, 1.0)).collect(), vec![0.0; cells])),
            scratch: Vec::new(),
        }
    }

    fn layer<'a>(&'a self, weight: &WeightI8<'a>) -> LinearI8<'a> {
        let m = weight.m();
        let (init, mul, add) = (&self.init[..m], &self.mul[..m], &self.add[..m]);
        LinearI8 { weight: *weight, init, mul, add, act: Activation::None, code: None, table: None, sums: None }
    }
}

type Multiply = fn(Isa, &Weight<'_>, &mut Operands);

/// Distances in bytes, the first of them none, each with the product that prefetches so far ahead.
fn distances(form: Form) -> &'static [(usize, Multiply)] {
    match form {
        Form::F32 => &[(0, multiply::<0>), (1, multiply::<1>)],
        _ => &[(0, multiply::<0>), (512, multiply::<512>), (1024, multiply::<1024>), (2048, multiply::<2048>), (4096, multiply::<4096>)],
    }
}

/// The distance that a kernel has.
fn own(weight: &Weight<'_>, isa: Isa) -> usize {
    match weight {
        Weight::I8(weight) => Operands::new().layer(weight).ahead(isa),
        Weight::F32(_) => 1,
    }
}

fn multiply<const AHEAD: usize>(isa: Isa, weight: &Weight<'_>, operands: &mut Operands) {
    match weight {
        Weight::I8(weight) => {
            let (m, k) = (weight.m(), weight.k());
            let mut scratch = std::mem::take(&mut operands.scratch);
            let mut panels = std::mem::take(&mut operands.bytes);
            let layer = operands.layer(weight);
            scratch.resize(layer.scratch_len(PANELS).max(scratch.len()), 0);
            let mut ios = panels.each_mut().map(|(x, y)| io(x, y, m, k));
            layer.run_u8_ahead::<AHEAD>(isa, 0..m, &mut ios, &mut scratch).expect("the operands fit");
            (operands.bytes, operands.scratch) = (panels, scratch);
        }
        Weight::F32(weight) => {
            let (m, k) = (weight.rows(), weight.inputs());
            let layer = LinearF32 { weight: WeightF32::Dense(*weight), bias: Some(&operands.add[..m]), act: Activation::None };
            let mut ios = operands.floats.each_mut().map(|(x, y)| io(x, y, m, k));
            let run = if AHEAD > 0 { LinearF32::run_ahead::<true> } else { LinearF32::run_ahead::<false> };
            run(&layer, isa, 0..m, &mut ios).expect("the operands fit");
        }
    }
}

fn io<'a, T>(x: &'a [T], y: &'a mut [T], m: usize, k: usize) -> Io<'a, T, T> {
    Io { x: &x[..k * TOKENS], codes: None, y: &mut y[..m * TOKENS], residual: Residual::None }
}
