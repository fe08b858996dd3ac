//! Values of Rust's kinds: what a debugger shows of them.

enum Shape {
    Empty,
    Circle(f64),
    Rect { width: u32, height: u32 },
}

#[derive(Clone, Copy)]
enum Level {
    Low = 1,
    High = 7,
}

struct Point {
    x: i32,
    y: i8,
}

#[allow(dead_code)] // only looked at
struct Pair(u16, char);

static COUNT: u64 = 77;

#[inline(never)]
fn look(shapes: &[Shape], name: &str, some: Option<&Point>, none: Option<Box<u32>>) -> usize {
    let text = String::from("grüße");
    let numbers = vec![10u16, 20, 30];
    let level = if shapes.len() > 2 { Level::High } else { Level::Low };
    let pair = Pair(3, 'ß');
    let result: Result<u8, String> = Ok(4);
    let boxed = Box::new(Point { x: -1, y: 2 });
    let array = [1.5f32, 2.5];
    let sum = std::hint::black_box(shapes.len() + name.len() + text.len() + numbers.len());
    std::hint::black_box((&some, &none, &pair, &result, &boxed, &array, level as u8));
    sum
}

struct Shop<T>(Vec<T>);

impl<T: Copy + Into<u64>> Shop<T> {
    #[inline(never)]
    fn each(&self, factor: u64) -> u64 {
        self.0.iter().map(|&one| one.into() * factor).sum()
    }
}

fn main() {
    let shapes = [Shape::Empty, Shape::Circle(1.5), Shape::Rect { width: 2, height: 3 }];
    let point = Point { x: 8, y: -8 };
    let count = look(&shapes, "tiny", Some(&point), None);
    let area = match &shapes[2] {
        Shape::Empty => 0,
        Shape::Circle(radius) => *radius as u32,
        Shape::Rect { width, height } => width * height,
    };
    let sold = Shop(vec![1u8, 2]).each(3) + Shop(vec![4u32]).each(5);
    println!("{sold} {count} {COUNT} {area} {} {}", point.x, point.y);
}
