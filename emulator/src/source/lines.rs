//! Which line of the source an instruction belongs to, and where the code of a line begins.
//!
//! The line tables of all units are merged into one list of rows by address, once; functions that the compiler has put into
//! others come from addr2line.

use super::Section;
use super::dies::Dies;
use super::functions::Functions;
use super::instances::PutInto;
use super::location::Scope;
use super::returned::Returns;
use super::types::Type;
use super::value::Value;
use super::variables::Variables;
use addr2line::{Context, LookupResult};
use gimli::{Dwarf, FileEntry, Reader, SectionId};
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::rc::Rc;

/// A line of a source file.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct SourceLine {
    /// The file as the compiler was told of it, from the folder where it ran.
    pub file: Rc<str>,
    /// The folder where the compiler ran.
    pub folder: Rc<str>,
    /// The line, from 1.
    pub line: u32,
}

impl SourceLine {
    /// The path of the file, from the root if the compiler has told where it ran.
    pub fn path(&self) -> String {
        joined(&self.folder, &self.file)
    }

    /// Whether it is one of the libraries that come with Rust's compiler, which is told by the path that it gives them.
    pub fn is_of_rusts_library(&self) -> bool {
        let path = self.path();
        path.starts_with("/rustc/") || path.contains("/rustlib/src/rust/library/")
    }
}

impl fmt::Display for SourceLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A function at an address, which may have been put into another one there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InlineFrame {
    /// Its name, if it is known.
    pub function: Option<String>,
    /// The line that is at work in it: for all but the innermost that of the call.
    pub source: Option<SourceLine>,
}

/// The code from one row of the line table to the next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Statement {
    /// Its addresses.
    pub range: Range<u64>,
    /// Whether the first of them is where a statement begins.
    pub is_statement: bool,
    /// Its line; `None` for code that belongs to none.
    pub source: Option<SourceLine>,
}

/// A row of the line table.
#[derive(Clone, Copy, Debug)]
struct Row {
    start: u64,
    end: u64,
    file: u32,
    /// 0 for code that belongs to no line.
    line: u32,
    is_statement: bool,
    /// The file and the line that the instructions are told to be of, where another's statement only begins.
    code: (u32, u32),
}

/// Where a statement of a line begins.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Beginning {
    at: u64,
    file: u32,
    line: u32,
}

/// The source lines of one file.
pub struct Lines {
    /// By address; none overlaps another.
    rows: Vec<Row>,
    /// Where statements begin, by address; several may at one.
    statements: Vec<Beginning>,
    /// Where bodies of functions begin, as far as the compiler has told, by address.
    bodies: Vec<u64>,
    /// Names of files, each with the folder where the compiler ran.
    files: Vec<(Rc<str>, Rc<str>)>,
    context: Option<Context<Section>>,
    dies: Rc<Dies>,
    functions: OnceCell<Functions>,
}

impl Lines {
    /// Reads the debug sections that `section` gives; `None` if there are no lines.
    pub(super) fn read(section: impl Fn(&str) -> Section) -> Option<Self> {
        let load = |id: SectionId| Ok::<_, gimli::Error>(section(id.name()));
        let dwarf = Dwarf::load(load).ok()?;
        let Table { rows, statements, bodies, names } = Table::of(&dwarf);
        if rows.is_empty() {
            return None;
        }
        let context = Context::from_dwarf(Dwarf::load(load).ok()?).ok();
        let (dies, functions) = (Rc::new(Dies::new(Rc::new(dwarf))), OnceCell::new());
        Some(Self { rows, statements, bodies, files: names.files, context, dies, functions })
    }

    /// The line of the instruction at an address.
    pub fn at(&self, address: u64) -> Option<SourceLine> {
        self.source(self.row_at(address)?)
    }

    /// The row that holds an address.
    pub fn statement(&self, address: u64) -> Option<Statement> {
        self.row_at(address).map(|row| self.statement_of(row))
    }

    /// The addresses around this one that belong to no line; `None` if it belongs to one.
    pub fn without_line(&self, address: u64) -> Option<Range<u64>> {
        let next = self.rows.partition_point(|row| row.start <= address);
        let before = next.checked_sub(1).and_then(|index| self.rows.get(index));
        match before {
            Some(row) if address < row.end => (row.line == 0).then_some(row.start..row.end),
            _ => {
                let end = self.rows.get(next).map_or(u64::MAX, |row| row.start);
                Some(before.map_or(0, |row| row.end)..end)
            }
        }
    }

    /// The addresses around this one of the same line, and of no other.
    pub fn line_range(&self, address: u64) -> Option<Range<u64>> {
        let row = self.row_at(address)?;
        let index = self.rows.partition_point(|other| other.start < row.start);
        let is_same = |other: &Row| (other.file, other.line) == (row.file, row.line);
        let mut range = row.start..row.end;
        for next in self.rows[index + 1..].iter().take_while(|next| is_same(next)) {
            if next.start != range.end {
                break;
            }
            range.end = next.end;
        }
        for before in self.rows[..index].iter().rev().take_while(|before| is_same(before)) {
            if before.end != range.start {
                break;
            }
            range.start = before.start;
        }
        Some(range)
    }

    /// The second statement of a function, which is the first of its body if the compiler has told each line one behind the other: the
    /// code that makes room on the stack has the line of the function's own. `function` is what the function takes up.
    pub(super) fn second_statement(&self, function: Range<u64>) -> Option<u64> {
        let first = self.row_at(function.start)?;
        let index = self.rows.partition_point(|row| row.start <= first.start);
        let rest = self.rows[index..].iter().take_while(|row| row.start < function.end);
        let body = rest.filter(|row| row.is_statement && row.line != 0).map(|row| row.start).next();
        Some(body.unwrap_or(function.start))
    }

    /// Where the compiler says that the body of a function begins, if it does. `function` is what the function takes up.
    pub(super) fn end_of_prologue(&self, function: &Range<u64>) -> Option<u64> {
        let next = self.bodies.partition_point(|&at| at < function.start);
        self.bodies.get(next).copied().filter(|at| function.contains(at))
    }

    /// Whether the function at an address has a parameter whose place is told once for all of it.
    pub(super) fn has_fixed_parameters(&self, address: u64) -> bool {
        self.dies.has_fixed_parameters(address)
    }

    /// Whether the places of variables are told for each instruction of the unit that has code at an address, and not once for all of
    /// a function: so compilers that optimise do.
    pub(super) fn follows_variables(&self, address: u64) -> bool {
        self.dies.index().follows_variables(address)
    }

    /// The functions at an address, the innermost first; the last is the one that was not put into another.
    pub fn frames(&self, address: u64) -> Vec<InlineFrame> {
        let Some(context) = &self.context else { return Vec::new() };
        let LookupResult::Output(Ok(mut found)) = context.find_frames(address) else { return Vec::new() };
        let mut frames = Vec::new();
        while let Ok(Some(frame)) = found.next() {
            let name = frame.function.as_ref().and_then(|name| Some(name.demangle().ok()?.into_owned()));
            let source = match frames.is_empty() {
                true => self.at(address),
                false => frame.location.and_then(|at| self.known(at.file?, at.line?)),
            };
            frames.push(InlineFrame { function: name, source });
        }
        // Where a statement of the function around it begins, the code is of what was put there all the same.
        if let ([innermost, _, ..], Some(row)) = (frames.as_mut_slice(), self.row_at(address)) {
            innermost.source = self.source_of(row.code);
        }
        frames
    }

    /// What was put into a function at an address, without the `level` innermost.
    pub fn put_into(&self, address: u64, level: usize) -> Option<PutInto> {
        self.dies.put_into(address, level)
    }

    /// A line of which addr2line tells, whose file has its folder in front.
    fn known(&self, path: &str, line: u32) -> Option<SourceLine> {
        let of = |(file, folder): &&(Rc<str>, Rc<str>)| joined(folder, file) == path;
        let (file, folder) = self.files.iter().find(of)?;
        Some(SourceLine { file: Rc::clone(file), folder: Rc::clone(folder), line })
    }

    /// Where statements of a line begin: the line's number, which is a later one if that line has no code, and the addresses, one in each
    /// function, and in each place where the compiler has put the function into another. What it has torn apart (the head of a loop) is
    /// come to there first. `file` is a name or the last parts of a path.
    pub fn addresses_of(&self, file: &str, line: u32) -> Option<(u32, Vec<u64>)> {
        let is_meant =
            |index: u32| self.files.get(index as usize).is_some_and(|(name, _)| is_end_of(file, name));
        let wanted = || self.statements.iter().filter(|at| at.line >= line && is_meant(at.file));
        let found = wanted().map(|at| at.line).min()?;
        let statements = wanted().filter(|at| at.line == found).map(|at| at.at);
        let rest = self.rows.iter().filter(|row| row.code.1 == found && is_meant(row.code.0));
        Some((found, self.dies.one_each(statements, rest.map(|row| row.start))))
    }

    /// The files that have code, in the order of their names.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|(name, _)| &**name)
    }

    /// A file, by its name or the last parts of its path.
    pub fn file(&self, name: &str) -> Option<SourceLine> {
        let (file, folder) = self.files.iter().find(|(file, _)| is_end_of(name, file))?;
        Some(SourceLine { file: Rc::clone(file), folder: Rc::clone(folder), line: 1 })
    }

    /// The functions that have code; `has_call` tells whether a call is among some instructions.
    pub(super) fn functions(&self, has_call: &dyn Fn(Range<u64>) -> bool) -> &Functions {
        let first = |range: Range<u64>| {
            let index = self.statements.partition_point(|statement| statement.at < range.start);
            self.statements.get(index).map(|statement| statement.at).filter(|at| range.contains(at))
        };
        self.functions.get_or_init(|| Functions::read(&self.dies, &first, has_call))
    }

    /// Whether code comes from the file of a line.
    pub fn has_file(&self, source: &SourceLine) -> bool {
        self.files.iter().any(|(file, folder)| (file, folder) == (&source.file, &source.folder))
    }

    /// The variable of a name that the function at work sees, or that the program has.
    pub fn variable(&self, name: &str, scope: &Scope<'_>) -> Option<Value> {
        self.dies.find(name, scope).filter(|value| value.type_.is_told())
    }

    /// The variable of a name that a source file has.
    pub fn variable_of(&self, file: &str, name: &str, scope: &Scope<'_>) -> Option<Value> {
        self.dies.find_in_file(file, name, scope).filter(|value| value.type_.is_told())
    }

    /// The parameters or the variables of the function at work.
    pub fn variables(&self, which: Variables, scope: &Scope<'_>) -> Vec<(String, Value)> {
        self.dies.of_function(which, scope)
    }

    /// The type of the function whose code begins at an address.
    pub fn function_type(&self, address: u64) -> Option<Type> {
        self.dies.function_type(address)
    }

    /// What the function returns whose code is at an address.
    pub(super) fn returns(&self, address: u64, float_bytes: u64) -> Option<Returns> {
        Returns::of(&self.dies, self.dies.index().function_at(address)?, float_bytes)
    }

    /// The type of a variable of the whole program.
    pub fn global_type(&self, name: &str) -> Option<Type> {
        let type_ = self.dies.index().globals(name).next().map(|global| Type::of(&self.dies, global.at));
        type_.filter(Type::is_told)
    }

    /// The type of a variable of the whole program of which no place is told.
    pub fn declared_type(&self, name: &str) -> Option<Type> {
        let type_ = self.dies.index().declared(name).map(|at| Type::of(&self.dies, at));
        type_.filter(Type::is_told)
    }

    /// The type of a name, as C has it: `struct node`, `node_t`.
    pub fn type_named(&self, name: &str) -> Option<Type> {
        self.dies.type_named(name)
    }

    /// The names of types that begin so: `struct node`, `node_t`.
    pub fn types_beginning(&self, beginning: &str) -> Vec<String> {
        let names = self.dies.index().type_names();
        names.filter(|name| name.starts_with(beginning)).map(str::to_owned).collect()
    }

    /// The lines of a file that have code, in their order.
    pub fn lines_of(&self, file: &str) -> Vec<u32> {
        let named = |row: &Row| self.files.get(usize::try_from(row.file).ok()?);
        let is_its = |row: &&Row| named(row).is_some_and(|(name, _)| is_end_of(file, name));
        let lines: BTreeSet<u32> = self.rows.iter().filter(is_its).map(|row| row.line).collect();
        lines.into_iter().filter(|&line| line > 0).collect()
    }

    /// Functions that have a variable of this name: a few at most.
    pub fn functions_with(&self, variable: &str) -> Vec<String> {
        let functions = self.dies.index().functions_with(variable).iter();
        let mut names: Vec<String> = functions.filter_map(|&at| self.dies.name(at)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Why nothing is told of the variables of the code at an address, if the compiler was asked for that.
    pub fn why_untold(&self, address: u64) -> Option<&'static str> {
        self.dies.why_untold(address)
    }

    /// Of the function at an address the block that has a variable of this name: the lines of its first and its last instruction.
    pub fn block_with(&self, address: u64, variable: &str) -> Option<(SourceLine, SourceLine)> {
        let lines = || {
            self.dies.block_with(address, variable).into_iter().flat_map(|range| {
                [self.at(range.start), self.at(range.end.wrapping_sub(1))].into_iter().flatten()
            })
        };
        lines().min_by_key(|source| source.line).zip(lines().max_by_key(|source| source.line))
    }

    /// The names of all variables.
    pub fn variable_names(&self) -> impl Iterator<Item = &str> {
        self.dies.index().names()
    }

    fn row_at(&self, address: u64) -> Option<&Row> {
        let index = self.rows.partition_point(|row| row.start <= address).checked_sub(1)?;
        self.rows.get(index).filter(|row| address < row.end)
    }

    fn statement_of(&self, row: &Row) -> Statement {
        Statement { range: row.start..row.end, is_statement: row.is_statement, source: self.source(row) }
    }

    fn source(&self, row: &Row) -> Option<SourceLine> {
        self.source_of((row.file, row.line))
    }

    fn source_of(&self, (file, line): (u32, u32)) -> Option<SourceLine> {
        let (file, folder) = self.files.get(file as usize).filter(|_| line != 0)?;
        Some(SourceLine { file: Rc::clone(file), folder: Rc::clone(folder), line })
    }
}

/// Whether `path` is `end` or ends in its parts.
pub(super) fn is_end_of(end: &str, path: &str) -> bool {
    path.strip_suffix(end).is_some_and(|before| before.is_empty() || before.ends_with('/'))
}

fn joined(folder: &str, file: &str) -> String {
    if file.starts_with('/') || folder.is_empty() {
        return file.to_owned();
    }
    format!("{}/{file}", folder.trim_end_matches('/'))
}

type Files = Vec<(Rc<str>, Rc<str>)>;

/// What is read of the line tables.
#[derive(Default)]
struct Table {
    rows: Vec<Row>,
    statements: Vec<Beginning>,
    bodies: Vec<u64>,
    names: Names,
}

impl Table {
    /// What all units tell, each by address.
    fn of(dwarf: &Dwarf<Section>) -> Self {
        let mut table = Self::default();
        let mut headers = dwarf.units();
        while let Ok(Some(header)) = headers.next() {
            let Ok(unit) = dwarf.unit(header) else { continue };
            // A unit that is malformed has the rows before the place where it is.
            let _ = rows_of(dwarf, &unit, &mut table);
        }
        table.rows.sort_by_key(|row| row.start);
        table.statements.sort_unstable();
        table.statements.dedup();
        table.bodies.sort_unstable();
        let mut kept: Vec<Row> = Vec::with_capacity(table.rows.len());
        for row in table.rows {
            // Units that claim the same addresses: a function that was thrown away when linking. The first stays.
            if kept.last().is_none_or(|last| last.end <= row.start) {
                kept.push(row);
            }
        }
        Self { rows: kept, ..table }
    }
}

/// Files by the folder and the name.
#[derive(Default)]
struct Names {
    files: Files,
    known: BTreeMap<(Rc<str>, Rc<str>), u32>,
}

impl Names {
    fn number(&mut self, folder: &str, file: &str) -> u32 {
        let key = (Rc::from(file), Rc::from(folder));
        if let Some(&number) = self.known.get(&key) {
            return number;
        }
        let number = u32::try_from(self.files.len()).expect("fewer files than bytes of debug information");
        self.files.push(key.clone());
        self.known.insert(key, number);
        number
    }
}

fn rows_of(dwarf: &Dwarf<Section>, unit: &gimli::Unit<Section>, table: &mut Table) -> gimli::Result<()> {
    let Some(program) = unit.line_program.clone() else { return Ok(()) };
    let folder = match &unit.comp_dir {
        Some(folder) => folder.to_string_lossy()?.into_owned(),
        None => String::new(),
    };
    let mut numbers: BTreeMap<u64, u32> = BTreeMap::new();
    let mut all = program.rows();
    let (mut sequence, mut statements): (Vec<Row>, Vec<Beginning>) = (Vec::new(), Vec::new());
    while let Some((header, row)) = all.next_row()? {
        let start = row.address();
        if let Some(last) = sequence.last_mut() {
            last.end = start;
        }
        if row.end_sequence() {
            // A sequence at 0 was thrown away when linking.
            let is_kept = sequence.first().is_some_and(|first| first.start != 0);
            table.rows.extend(sequence.drain(..).filter(|row| is_kept && row.start < row.end));
            table.statements.extend(statements.drain(..).filter(|_| is_kept));
            continue;
        }
        let file = match numbers.get(&row.file_index()) {
            Some(&number) => number,
            None => {
                let name = row.file(header).map(|file| file_name(dwarf, unit, header, file)).transpose()?;
                let name = name.unwrap_or_default();
                let name =
                    name.strip_prefix(&folder).and_then(|rest| rest.strip_prefix('/')).unwrap_or(&name);
                let number = table.names.number(&folder, name);
                numbers.insert(row.file_index(), number);
                number
            }
        };
        let line = row.line().map_or(0, |line| u32::try_from(line.get()).unwrap_or(u32::MAX));
        let ends_prologue = row.prologue_end();
        let row = Row { start, end: start, file, line, is_statement: row.is_stmt(), code: (file, line) };
        let begins = row.is_statement && line != 0;
        if ends_prologue {
            table.bodies.push(start);
        }
        if begins {
            statements.push(Beginning { at: start, file, line });
        }
        // Of several rows at an address the last in which a statement begins says whose the code is.
        match sequence.last_mut().filter(|last| last.start == start) {
            Some(last) if last.is_statement && last.line != 0 && !begins => last.code = row.code,
            Some(last) => *last = row,
            None => sequence.push(row),
        }
    }
    Ok(())
}

/// The path of a file: from the folder where the compiler ran, or from the root.
pub(super) fn file_name(
    dwarf: &Dwarf<Section>,
    unit: &gimli::Unit<Section>,
    header: &gimli::LineProgramHeader<Section>,
    file: &FileEntry<Section>,
) -> gimli::Result<String> {
    let name = dwarf.attr_string(unit, file.path_name())?.to_string_lossy()?.into_owned();
    let folder = match file.directory(header) {
        // Of the folders the first is where the compiler ran.
        Some(folder) if file.directory_index() != 0 => {
            dwarf.attr_string(unit, folder)?.to_string_lossy()?.into_owned()
        }
        _ => String::new(),
    };
    Ok(joined(&folder, &name))
}
