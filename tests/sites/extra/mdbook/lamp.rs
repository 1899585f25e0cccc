// before
// ANCHOR: start
pub fn start(speed: u32) -> Lamp {
    Lamp { speed }
}
// ANCHOR_END: start
// behind
