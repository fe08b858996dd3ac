//! A program's ELF file as a debugger reads it: symbols, source lines, callers, variables.
//!
//! [`ProgramFile`] is one file; [`Programs`] keeps those of a guest by their paths, and reads each when it is asked for the first
//! time. Addresses in this module are the file's own: [`ProgramFile::load_bias`] is what a process adds to them. DWARF
//! is read by gimli, places by addr2line; what is not there or is malformed is unknown, never an error: a
//! program need not be compiled with `-g`, and its debug information says nothing that a run depends on.
//!
//! A [`Frame`] alone has addresses as the process has them, since its registers do.
//!
//! Nothing here looks at a machine: whoever asks for a caller or a variable gives a function that reads memory.
//!
//! A variable becomes a [`Value`]: a place in memory or bytes, with a [`Type`]. Where it is, `location` works out from the frame and its callers;
//! parts of it, what it points to and arithmetic are `value` and `numbers`, its text is `show`. What is known of a name is
//! found through an `index` that is made once.

mod cpp_nodes;
mod cpp_values;
mod dies;
mod epilogue;
mod file;
mod functions;
mod index;
mod instances;
mod lines;
mod location;
mod numbers;
mod prologue;
mod quad;
mod quad_arithmetic;
mod returned;
mod rust_values;
mod show;
mod stack;
mod symbols;
mod type_names;
mod types;
mod unwind;
mod value;
mod variables;

pub use file::{Loaded, NewerSources, ProgramFile, ProgramFiles, Programs, Spot, without_offset};
pub use instances::PutInto;
pub use lines::{InlineFrame, Lines, SourceLine, Statement};
pub use location::Scope;
pub use numbers::Operator;
pub use quad::text as float_text;
pub use returned::{Returned, Returns};
pub use show::{Format, Look, letters};
pub use stack::{Callers, IsReturn, StackFrame, in_brackets, stack, with_places};
pub use symbols::{SymbolTable, is_called};
pub use types::{Kind, Number, Type};
pub use unwind::Frame;
pub use value::{Bits, Held, ReadMemory, Value, Whose};
pub use variables::Variables;

/// Bytes of a section, shared with the file.
type Section = gimli::EndianArcSlice<gimli::RunTimeEndian>;
