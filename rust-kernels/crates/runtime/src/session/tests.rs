//! Queues, cancelling, closing, panics.

use super::*;
use crate::testing::{Builder, Running, Sources, bytes_of, floats_of};
use serde_json::json;

/// y = x through `regions` regions, each a copy.
fn copies(rows: usize, regions: usize) -> Arc<Prepared> {
    let mut b = Builder::new(json!([{"kind": "rows", "count": rows}]));
    let (x, y) = (b.input("f32", &[rows, 64]), b.output("f32", &[rows, 64]));
    let panels = b.panels("f32", 0, rows, 64);
    let units = json!({"panels": {"space": 0, "group": 1}});
    for _ in 0..regions {
        b.region(units.clone(), json!([{"op": "from_rows", "x": x, "y": panels}]));
    }
    b.region(units, json!([{"op": "to_rows", "x": panels, "y": y}]));
    b.prepare(&Sources::default().pack()).unwrap()
}

fn fill(value: f32) -> impl FnOnce(&mut [&mut [u8]]) -> Result<()> {
    move |inputs| {
        let bytes = bytes_of(&[value]);
        inputs[0].as_chunks_mut::<4>().0.iter_mut().for_each(|place| place.copy_from_slice(&bytes));
        Ok(())
    }
}

#[test]
fn many_queued_runs_each_get_their_own_answer_in_order() {
    let running = Running::new(2);
    let program = copies(100, 1);
    let ids: Vec<RunId> = (0..64).map(|i| running.session.submit(&program, false, fill(i as f32)).unwrap()).collect();
    for (i, id) in ids.into_iter().enumerate() {
        assert_eq!(running.notices.recv().unwrap(), Notice::Finished(id));
        let check = |outputs: &[&[u8]]| {
            assert!(floats_of(outputs[0]).iter().all(|&y| y == i as f32));
            Ok(())
        };
        running.session.collect(id, check).unwrap();
    }
}

#[test]
fn closing_finishes_what_is_queued_and_refuses_more() {
    let running = Running::new(2);
    let program = copies(1000, 20);
    let ids: Vec<RunId> = (0..5).map(|i| running.session.submit(&program, false, fill(i as f32)).unwrap()).collect();
    running.session.close();
    running.session.close();
    assert_eq!(running.session.submit(&program, false, fill(0.0)).unwrap_err().code, ErrorCode::Usage);
    for id in ids {
        assert_eq!(running.notices.recv().unwrap(), Notice::Finished(id));
        running.session.collect(id, |_| Ok(())).unwrap();
        assert_eq!(running.session.collect(id, |_| Ok(())).unwrap_err().code, ErrorCode::Usage, "only once");
    }
    assert_eq!(running.notices.recv().unwrap(), Notice::Closed);
}

#[test]
fn a_cancelled_run_ends_early_and_a_waiting_one_at_once() {
    let running = Running::new(2);
    let long = copies(20_000, 5_000);
    let first = running.session.submit(&long, false, fill(1.0)).unwrap();
    let second = running.session.submit(&long, false, fill(2.0)).unwrap();
    let start = Instant::now();
    running.session.cancel(second);
    assert_eq!(running.notices.recv().unwrap(), Notice::Finished(second), "before the first");
    running.session.cancel(first);
    running.session.cancel(12345);
    assert_eq!(running.notices.recv().unwrap(), Notice::Finished(first));
    for id in [first, second] {
        assert_eq!(running.session.collect(id, |_| Ok(())).unwrap_err().code, ErrorCode::Aborted);
    }
    assert!(start.elapsed().as_secs() < 20, "the whole run would take minutes");
    let program = copies(10, 1);
    assert_eq!(floats_of(&running.run(&program, &[bytes_of(&[3.0f32; 640])]).unwrap()[0])[0], 3.0);
}

#[test]
fn a_panic_in_any_pool_thread_ends_only_its_run() {
    let running = Running::new(3);
    let program = copies(300, 3);
    let input = [bytes_of(&[5.0f32; 300 * 64])];
    for thread in [0, 1, 2] {
        program.planted.plant(thread);
        let error = running.run(&program, &input).unwrap_err();
        assert_eq!(error.code, ErrorCode::Internal);
        assert!(error.message.contains("planted"), "{}", error.message);
        assert!(floats_of(&running.run(&program, &input).unwrap()[0]).iter().all(|&y| y == 5.0));
    }
}

#[test]
fn memory_that_cannot_be_had_is_a_limit_error_and_the_session_goes_on() {
    let running = Running::new(1);
    let mut b = Builder::new(json!([{"kind": "rows", "count": 1}]));
    b.program["arena_bytes"] = json!(1u64 << 33);
    b.program["scratch_bytes"] = json!(1u64 << 30);
    let huge = b.prepare(&Sources::default().pack()).unwrap();
    // Nothing of it is touched, so it may succeed where memory is overcommitted; it must not crash.
    match running.run(&huge, &[]) {
        Ok(outputs) => assert!(outputs.is_empty()),
        Err(error) => assert_eq!(error.code, ErrorCode::Limit),
    }
    assert_eq!(running.run(&copies(1, 1), &[bytes_of(&[1.0f32; 64])]).unwrap().len(), 1);
}

#[test]
fn wrong_thread_counts_are_refused_and_dropping_a_busy_session_ends_it() {
    for threads in [0, MAX_THREADS + 1] {
        let options = SessionOptions { threads: Some(threads), ..SessionOptions::default() };
        assert_eq!(Session::new(&options, |_| ()).err().unwrap().code, ErrorCode::Usage);
    }
    let running = Running::new(2);
    let long = copies(20_000, 5_000);
    for _ in 0..3 {
        running.session.submit(&long, false, fill(1.0)).unwrap();
    }
    drop(running);
}
