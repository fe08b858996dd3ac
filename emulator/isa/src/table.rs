//! The table of instructions: one row for each, in the order of the manual's chapters. Decoding, encoding,
//! disassembly, the emulator's dispatch and the tests all come from it.
//!
//! To add an instruction, add its row (and, for a new shape of operands, a row to `formats!` in `insn.rs`; for one that
//! does what no other does beside its registers, a row to `effects!` in `effect.rs`);
//! [`crate::insn::Op`] gets its variant, and everything that expands [`for_each_insn!`](crate::for_each_insn)
//! stops compiling until it knows the instruction's meaning. Compressed instructions have no rows: they expand
//! to one of these (`decode_c.rs`).
//!
//! Follows the unprivileged manual, "RV32/64G Instruction Set Listings".

/// Expands `callback!` with every row of the table: `for_each_insn!(callback)`, or, with tokens of the
/// caller's that are passed through before the rows, `for_each_insn!(callback [tokens])`.
///
/// The callback receives rows of
/// `Variant function "mnemonic" Format Extension Effect match_bits;`
/// The bits that must agree with `match_bits` follow from the format (`Format::mask`): the fields that the
/// format gives to operands are free, all others are fixed.
///
/// ```
/// macro_rules! count {
///     ($($op:ident $function:ident $mnemonic:literal $format:ident $extension:ident $effect:ident $bits:literal;)*) => {
///         [$($mnemonic),*].len()
///     };
/// }
/// assert_eq!(isa::for_each_insn!(count), isa::Op::ALL.len());
/// ```
#[rustfmt::skip]
#[macro_export]
macro_rules! for_each_insn {
    ($callback:ident $([$($passed:tt)*])?) => {
        $callback! {
            $([$($passed)*])?
            // RV64I, base integer.
            Lui        lui         "lui"         U          I          Plain      0b0000000_00000_00000_000_00000_0110111;
            Auipc      auipc       "auipc"       U          I          Place      0b0000000_00000_00000_000_00000_0010111;
            Jal        jal         "jal"         J          I          Jump       0b0000000_00000_00000_000_00000_1101111;
            Jalr       jalr        "jalr"        Jalr       I          Jump       0b0000000_00000_00000_000_00000_1100111;
            Beq        beq         "beq"         B          I          Jump       0b0000000_00000_00000_000_00000_1100011;
            Bne        bne         "bne"         B          I          Jump       0b0000000_00000_00000_001_00000_1100011;
            Blt        blt         "blt"         B          I          Jump       0b0000000_00000_00000_100_00000_1100011;
            Bge        bge         "bge"         B          I          Jump       0b0000000_00000_00000_101_00000_1100011;
            Bltu       bltu        "bltu"        B          I          Jump       0b0000000_00000_00000_110_00000_1100011;
            Bgeu       bgeu        "bgeu"        B          I          Jump       0b0000000_00000_00000_111_00000_1100011;
            Lb         lb          "lb"          Load       I          Access     0b0000000_00000_00000_000_00000_0000011;
            Lh         lh          "lh"          Load       I          Access     0b0000000_00000_00000_001_00000_0000011;
            Lw         lw          "lw"          Load       I          Access     0b0000000_00000_00000_010_00000_0000011;
            Ld         ld          "ld"          Load       I          Access     0b0000000_00000_00000_011_00000_0000011;
            Lbu        lbu         "lbu"         Load       I          Access     0b0000000_00000_00000_100_00000_0000011;
            Lhu        lhu         "lhu"         Load       I          Access     0b0000000_00000_00000_101_00000_0000011;
            Lwu        lwu         "lwu"         Load       I          Access     0b0000000_00000_00000_110_00000_0000011;
            Sb         sb          "sb"          Store      I          Access     0b0000000_00000_00000_000_00000_0100011;
            Sh         sh          "sh"          Store      I          Access     0b0000000_00000_00000_001_00000_0100011;
            Sw         sw          "sw"          Store      I          Access     0b0000000_00000_00000_010_00000_0100011;
            Sd         sd          "sd"          Store      I          Access     0b0000000_00000_00000_011_00000_0100011;
            Addi       addi        "addi"        I          I          Plain      0b0000000_00000_00000_000_00000_0010011;
            Slti       slti        "slti"        I          I          Plain      0b0000000_00000_00000_010_00000_0010011;
            Sltiu      sltiu       "sltiu"       I          I          Plain      0b0000000_00000_00000_011_00000_0010011;
            Xori       xori        "xori"        I          I          Plain      0b0000000_00000_00000_100_00000_0010011;
            Ori        ori         "ori"         I          I          Plain      0b0000000_00000_00000_110_00000_0010011;
            Andi       andi        "andi"        I          I          Plain      0b0000000_00000_00000_111_00000_0010011;
            Slli       slli        "slli"        Shift6     I          Plain      0b0000000_00000_00000_001_00000_0010011;
            Srli       srli        "srli"        Shift6     I          Plain      0b0000000_00000_00000_101_00000_0010011;
            Srai       srai        "srai"        Shift6     I          Plain      0b0100000_00000_00000_101_00000_0010011;
            Add        add         "add"         R          I          Plain      0b0000000_00000_00000_000_00000_0110011;
            Sub        sub         "sub"         R          I          Plain      0b0100000_00000_00000_000_00000_0110011;
            Sll        sll         "sll"         R          I          Plain      0b0000000_00000_00000_001_00000_0110011;
            Slt        slt         "slt"         R          I          Plain      0b0000000_00000_00000_010_00000_0110011;
            Sltu       sltu        "sltu"        R          I          Plain      0b0000000_00000_00000_011_00000_0110011;
            Xor        xor         "xor"         R          I          Plain      0b0000000_00000_00000_100_00000_0110011;
            Srl        srl         "srl"         R          I          Plain      0b0000000_00000_00000_101_00000_0110011;
            Sra        sra         "sra"         R          I          Plain      0b0100000_00000_00000_101_00000_0110011;
            Or         or          "or"          R          I          Plain      0b0000000_00000_00000_110_00000_0110011;
            And        and         "and"         R          I          Plain      0b0000000_00000_00000_111_00000_0110011;
            Addiw      addiw       "addiw"       I          I          Plain      0b0000000_00000_00000_000_00000_0011011;
            Slliw      slliw       "slliw"       Shift5     I          Plain      0b0000000_00000_00000_001_00000_0011011;
            Srliw      srliw       "srliw"       Shift5     I          Plain      0b0000000_00000_00000_101_00000_0011011;
            Sraiw      sraiw       "sraiw"       Shift5     I          Plain      0b0100000_00000_00000_101_00000_0011011;
            Addw       addw        "addw"        R          I          Plain      0b0000000_00000_00000_000_00000_0111011;
            Subw       subw        "subw"        R          I          Plain      0b0100000_00000_00000_000_00000_0111011;
            Sllw       sllw        "sllw"        R          I          Plain      0b0000000_00000_00000_001_00000_0111011;
            Srlw       srlw        "srlw"        R          I          Plain      0b0000000_00000_00000_101_00000_0111011;
            Sraw       sraw        "sraw"        R          I          Plain      0b0100000_00000_00000_101_00000_0111011;
            Fence      fence       "fence"       Fence      I          Fence      0b0000000_00000_00000_000_00000_0001111;
            Ecall      ecall       "ecall"       Bare       I          System     0b0000000_00000_00000_000_00000_1110011;
            Ebreak     ebreak      "ebreak"      Bare       I          Breakpoint 0b0000000_00001_00000_000_00000_1110011;
            // Zifencei.
            FenceI     fence_i     "fence.i"     FenceI     Zifencei   FenceI     0b0000000_00000_00000_001_00000_0001111;
            // Zicsr.
            Csrrw      csrrw       "csrrw"       Csr        Zicsr      Csr        0b0000000_00000_00000_001_00000_1110011;
            Csrrs      csrrs       "csrrs"       Csr        Zicsr      Csr        0b0000000_00000_00000_010_00000_1110011;
            Csrrc      csrrc       "csrrc"       Csr        Zicsr      Csr        0b0000000_00000_00000_011_00000_1110011;
            Csrrwi     csrrwi      "csrrwi"      CsrImm     Zicsr      Csr        0b0000000_00000_00000_101_00000_1110011;
            Csrrsi     csrrsi      "csrrsi"      CsrImm     Zicsr      Csr        0b0000000_00000_00000_110_00000_1110011;
            Csrrci     csrrci      "csrrci"      CsrImm     Zicsr      Csr        0b0000000_00000_00000_111_00000_1110011;
            // Privileged architecture.
            Sret       sret        "sret"        Bare       Privileged System     0b0001000_00010_00000_000_00000_1110011;
            Mret       mret        "mret"        Bare       Privileged System     0b0011000_00010_00000_000_00000_1110011;
            Wfi        wfi         "wfi"         Bare       Privileged System     0b0001000_00101_00000_000_00000_1110011;
            SfenceVma  sfence_vma  "sfence.vma"  SfenceVma  Privileged System     0b0001001_00000_00000_000_00000_1110011;
            // Svinval, fine-grained invalidation of translations.
            SinvalVma  sinval_vma  "sinval.vma"  SfenceVma  Svinval    System     0b0001011_00000_00000_000_00000_1110011;
            SfenceWInval sfence_w_inval "sfence.w.inval" Bare Svinval    System     0b0001100_00000_00000_000_00000_1110011;
            SfenceInvalIr sfence_inval_ir "sfence.inval.ir" Bare Svinval  System     0b0001100_00001_00000_000_00000_1110011;
            // M, multiply and divide.
            Mul        mul         "mul"         R          M          Plain      0b0000001_00000_00000_000_00000_0110011;
            Mulh       mulh        "mulh"        R          M          Plain      0b0000001_00000_00000_001_00000_0110011;
            Mulhsu     mulhsu      "mulhsu"      R          M          Plain      0b0000001_00000_00000_010_00000_0110011;
            Mulhu      mulhu       "mulhu"       R          M          Plain      0b0000001_00000_00000_011_00000_0110011;
            Div        div         "div"         R          M          Plain      0b0000001_00000_00000_100_00000_0110011;
            Divu       divu        "divu"        R          M          Plain      0b0000001_00000_00000_101_00000_0110011;
            Rem        rem         "rem"         R          M          Plain      0b0000001_00000_00000_110_00000_0110011;
            Remu       remu        "remu"        R          M          Plain      0b0000001_00000_00000_111_00000_0110011;
            Mulw       mulw        "mulw"        R          M          Plain      0b0000001_00000_00000_000_00000_0111011;
            Divw       divw        "divw"        R          M          Plain      0b0000001_00000_00000_100_00000_0111011;
            Divuw      divuw       "divuw"       R          M          Plain      0b0000001_00000_00000_101_00000_0111011;
            Remw       remw        "remw"        R          M          Plain      0b0000001_00000_00000_110_00000_0111011;
            Remuw      remuw       "remuw"       R          M          Plain      0b0000001_00000_00000_111_00000_0111011;
            // A, atomics.
            LrW        lr_w        "lr.w"        Lr         A          Access     0b0001000_00000_00000_010_00000_0101111;
            ScW        sc_w        "sc.w"        Amo        A          Access     0b0001100_00000_00000_010_00000_0101111;
            AmoswapW   amoswap_w   "amoswap.w"   Amo        A          Access     0b0000100_00000_00000_010_00000_0101111;
            AmoaddW    amoadd_w    "amoadd.w"    Amo        A          Access     0b0000000_00000_00000_010_00000_0101111;
            AmoxorW    amoxor_w    "amoxor.w"    Amo        A          Access     0b0010000_00000_00000_010_00000_0101111;
            AmoandW    amoand_w    "amoand.w"    Amo        A          Access     0b0110000_00000_00000_010_00000_0101111;
            AmoorW     amoor_w     "amoor.w"     Amo        A          Access     0b0100000_00000_00000_010_00000_0101111;
            AmominW    amomin_w    "amomin.w"    Amo        A          Access     0b1000000_00000_00000_010_00000_0101111;
            AmomaxW    amomax_w    "amomax.w"    Amo        A          Access     0b1010000_00000_00000_010_00000_0101111;
            AmominuW   amominu_w   "amominu.w"   Amo        A          Access     0b1100000_00000_00000_010_00000_0101111;
            AmomaxuW   amomaxu_w   "amomaxu.w"   Amo        A          Access     0b1110000_00000_00000_010_00000_0101111;
            LrD        lr_d        "lr.d"        Lr         A          Access     0b0001000_00000_00000_011_00000_0101111;
            ScD        sc_d        "sc.d"        Amo        A          Access     0b0001100_00000_00000_011_00000_0101111;
            AmoswapD   amoswap_d   "amoswap.d"   Amo        A          Access     0b0000100_00000_00000_011_00000_0101111;
            AmoaddD    amoadd_d    "amoadd.d"    Amo        A          Access     0b0000000_00000_00000_011_00000_0101111;
            AmoxorD    amoxor_d    "amoxor.d"    Amo        A          Access     0b0010000_00000_00000_011_00000_0101111;
            AmoandD    amoand_d    "amoand.d"    Amo        A          Access     0b0110000_00000_00000_011_00000_0101111;
            AmoorD     amoor_d     "amoor.d"     Amo        A          Access     0b0100000_00000_00000_011_00000_0101111;
            AmominD    amomin_d    "amomin.d"    Amo        A          Access     0b1000000_00000_00000_011_00000_0101111;
            AmomaxD    amomax_d    "amomax.d"    Amo        A          Access     0b1010000_00000_00000_011_00000_0101111;
            AmominuD   amominu_d   "amominu.d"   Amo        A          Access     0b1100000_00000_00000_011_00000_0101111;
            AmomaxuD   amomaxu_d   "amomaxu.d"   Amo        A          Access     0b1110000_00000_00000_011_00000_0101111;
            // F, single precision.
            Flw        flw         "flw"         FpLoad     F          Access     0b0000000_00000_00000_010_00000_0000111;
            Fsw        fsw         "fsw"         FpStore    F          Access     0b0000000_00000_00000_010_00000_0100111;
            FmaddS     fmadd_s     "fmadd.s"     FpR4       F          Float      0b0000000_00000_00000_000_00000_1000011;
            FmsubS     fmsub_s     "fmsub.s"     FpR4       F          Float      0b0000000_00000_00000_000_00000_1000111;
            FnmsubS    fnmsub_s    "fnmsub.s"    FpR4       F          Float      0b0000000_00000_00000_000_00000_1001011;
            FnmaddS    fnmadd_s    "fnmadd.s"    FpR4       F          Float      0b0000000_00000_00000_000_00000_1001111;
            FaddS      fadd_s      "fadd.s"      FpArith    F          Float      0b0000000_00000_00000_000_00000_1010011;
            FsubS      fsub_s      "fsub.s"      FpArith    F          Float      0b0000100_00000_00000_000_00000_1010011;
            FmulS      fmul_s      "fmul.s"      FpArith    F          Float      0b0001000_00000_00000_000_00000_1010011;
            FdivS      fdiv_s      "fdiv.s"      FpArith    F          Float      0b0001100_00000_00000_000_00000_1010011;
            FsqrtS     fsqrt_s     "fsqrt.s"     FpUnary    F          Float      0b0101100_00000_00000_000_00000_1010011;
            FsgnjS     fsgnj_s     "fsgnj.s"     FpR        F          Float      0b0010000_00000_00000_000_00000_1010011;
            FsgnjnS    fsgnjn_s    "fsgnjn.s"    FpR        F          Float      0b0010000_00000_00000_001_00000_1010011;
            FsgnjxS    fsgnjx_s    "fsgnjx.s"    FpR        F          Float      0b0010000_00000_00000_010_00000_1010011;
            FminS      fmin_s      "fmin.s"      FpR        F          Float      0b0010100_00000_00000_000_00000_1010011;
            FmaxS      fmax_s      "fmax.s"      FpR        F          Float      0b0010100_00000_00000_001_00000_1010011;
            FleS       fle_s       "fle.s"       FpCompare  F          Float      0b1010000_00000_00000_000_00000_1010011;
            FltS       flt_s       "flt.s"       FpCompare  F          Float      0b1010000_00000_00000_001_00000_1010011;
            FeqS       feq_s       "feq.s"       FpCompare  F          Float      0b1010000_00000_00000_010_00000_1010011;
            FclassS    fclass_s    "fclass.s"    FpToX      F          Float      0b1110000_00000_00000_001_00000_1010011;
            FcvtWS     fcvt_w_s    "fcvt.w.s"    FpToInt    F          Float      0b1100000_00000_00000_000_00000_1010011;
            FcvtWuS    fcvt_wu_s   "fcvt.wu.s"   FpToInt    F          Float      0b1100000_00001_00000_000_00000_1010011;
            FcvtLS     fcvt_l_s    "fcvt.l.s"    FpToInt    F          Float      0b1100000_00010_00000_000_00000_1010011;
            FcvtLuS    fcvt_lu_s   "fcvt.lu.s"   FpToInt    F          Float      0b1100000_00011_00000_000_00000_1010011;
            FcvtSW     fcvt_s_w    "fcvt.s.w"    IntToFp    F          Float      0b1101000_00000_00000_000_00000_1010011;
            FcvtSWu    fcvt_s_wu   "fcvt.s.wu"   IntToFp    F          Float      0b1101000_00001_00000_000_00000_1010011;
            FcvtSL     fcvt_s_l    "fcvt.s.l"    IntToFp    F          Float      0b1101000_00010_00000_000_00000_1010011;
            FcvtSLu    fcvt_s_lu   "fcvt.s.lu"   IntToFp    F          Float      0b1101000_00011_00000_000_00000_1010011;
            FmvXW      fmv_x_w     "fmv.x.w"     FpToX      F          Float      0b1110000_00000_00000_000_00000_1010011;
            FmvWX      fmv_w_x     "fmv.w.x"     XToFp      F          Float      0b1111000_00000_00000_000_00000_1010011;
            // D, double precision.
            Fld        fld         "fld"         FpLoad     D          Access     0b0000000_00000_00000_011_00000_0000111;
            Fsd        fsd         "fsd"         FpStore    D          Access     0b0000000_00000_00000_011_00000_0100111;
            FmaddD     fmadd_d     "fmadd.d"     FpR4       D          Float      0b0000001_00000_00000_000_00000_1000011;
            FmsubD     fmsub_d     "fmsub.d"     FpR4       D          Float      0b0000001_00000_00000_000_00000_1000111;
            FnmsubD    fnmsub_d    "fnmsub.d"    FpR4       D          Float      0b0000001_00000_00000_000_00000_1001011;
            FnmaddD    fnmadd_d    "fnmadd.d"    FpR4       D          Float      0b0000001_00000_00000_000_00000_1001111;
            FaddD      fadd_d      "fadd.d"      FpArith    D          Float      0b0000001_00000_00000_000_00000_1010011;
            FsubD      fsub_d      "fsub.d"      FpArith    D          Float      0b0000101_00000_00000_000_00000_1010011;
            FmulD      fmul_d      "fmul.d"      FpArith    D          Float      0b0001001_00000_00000_000_00000_1010011;
            FdivD      fdiv_d      "fdiv.d"      FpArith    D          Float      0b0001101_00000_00000_000_00000_1010011;
            FsqrtD     fsqrt_d     "fsqrt.d"     FpUnary    D          Float      0b0101101_00000_00000_000_00000_1010011;
            FsgnjD     fsgnj_d     "fsgnj.d"     FpR        D          Float      0b0010001_00000_00000_000_00000_1010011;
            FsgnjnD    fsgnjn_d    "fsgnjn.d"    FpR        D          Float      0b0010001_00000_00000_001_00000_1010011;
            FsgnjxD    fsgnjx_d    "fsgnjx.d"    FpR        D          Float      0b0010001_00000_00000_010_00000_1010011;
            FminD      fmin_d      "fmin.d"      FpR        D          Float      0b0010101_00000_00000_000_00000_1010011;
            FmaxD      fmax_d      "fmax.d"      FpR        D          Float      0b0010101_00000_00000_001_00000_1010011;
            FleD       fle_d       "fle.d"       FpCompare  D          Float      0b1010001_00000_00000_000_00000_1010011;
            FltD       flt_d       "flt.d"       FpCompare  D          Float      0b1010001_00000_00000_001_00000_1010011;
            FeqD       feq_d       "feq.d"       FpCompare  D          Float      0b1010001_00000_00000_010_00000_1010011;
            FclassD    fclass_d    "fclass.d"    FpToX      D          Float      0b1110001_00000_00000_001_00000_1010011;
            FcvtWD     fcvt_w_d    "fcvt.w.d"    FpToInt    D          Float      0b1100001_00000_00000_000_00000_1010011;
            FcvtWuD    fcvt_wu_d   "fcvt.wu.d"   FpToInt    D          Float      0b1100001_00001_00000_000_00000_1010011;
            FcvtLD     fcvt_l_d    "fcvt.l.d"    FpToInt    D          Float      0b1100001_00010_00000_000_00000_1010011;
            FcvtLuD    fcvt_lu_d   "fcvt.lu.d"   FpToInt    D          Float      0b1100001_00011_00000_000_00000_1010011;
            FcvtDW     fcvt_d_w    "fcvt.d.w"    IntToFpExact D          Float      0b1101001_00000_00000_000_00000_1010011;
            FcvtDWu    fcvt_d_wu   "fcvt.d.wu"   IntToFpExact D          Float      0b1101001_00001_00000_000_00000_1010011;
            FcvtDL     fcvt_d_l    "fcvt.d.l"    IntToFp    D          Float      0b1101001_00010_00000_000_00000_1010011;
            FcvtDLu    fcvt_d_lu   "fcvt.d.lu"   IntToFp    D          Float      0b1101001_00011_00000_000_00000_1010011;
            FcvtSD     fcvt_s_d    "fcvt.s.d"    FpUnary    D          Float      0b0100000_00001_00000_000_00000_1010011;
            FcvtDS     fcvt_d_s    "fcvt.d.s"    FpWiden    D          Float      0b0100001_00000_00000_000_00000_1010011;
            FmvXD      fmv_x_d     "fmv.x.d"     FpToX      D          Float      0b1110001_00000_00000_000_00000_1010011;
            FmvDX      fmv_d_x     "fmv.d.x"     XToFp      D          Float      0b1111001_00000_00000_000_00000_1010011;
            // Zba, address generation.
            Sh1add     sh1add      "sh1add"      R          Zba        Plain      0b0010000_00000_00000_010_00000_0110011;
            Sh2add     sh2add      "sh2add"      R          Zba        Plain      0b0010000_00000_00000_100_00000_0110011;
            Sh3add     sh3add      "sh3add"      R          Zba        Plain      0b0010000_00000_00000_110_00000_0110011;
            AddUw      add_uw      "add.uw"      R          Zba        Plain      0b0000100_00000_00000_000_00000_0111011;
            Sh1addUw   sh1add_uw   "sh1add.uw"   R          Zba        Plain      0b0010000_00000_00000_010_00000_0111011;
            Sh2addUw   sh2add_uw   "sh2add.uw"   R          Zba        Plain      0b0010000_00000_00000_100_00000_0111011;
            Sh3addUw   sh3add_uw   "sh3add.uw"   R          Zba        Plain      0b0010000_00000_00000_110_00000_0111011;
            SlliUw     slli_uw     "slli.uw"     Shift6     Zba        Plain      0b0000100_00000_00000_001_00000_0011011;
            // Zbb, basic bit manipulation (those of Zbkb too: see `gate`).
            Andn       andn        "andn"        R          Zbb        Plain      0b0100000_00000_00000_111_00000_0110011;
            Orn        orn         "orn"         R          Zbb        Plain      0b0100000_00000_00000_110_00000_0110011;
            Xnor       xnor        "xnor"        R          Zbb        Plain      0b0100000_00000_00000_100_00000_0110011;
            Clz        clz         "clz"         Unary      Zbb        Plain      0b0110000_00000_00000_001_00000_0010011;
            Clzw       clzw        "clzw"        Unary      Zbb        Plain      0b0110000_00000_00000_001_00000_0011011;
            Ctz        ctz         "ctz"         Unary      Zbb        Plain      0b0110000_00001_00000_001_00000_0010011;
            Ctzw       ctzw        "ctzw"        Unary      Zbb        Plain      0b0110000_00001_00000_001_00000_0011011;
            Cpop       cpop        "cpop"        Unary      Zbb        Plain      0b0110000_00010_00000_001_00000_0010011;
            Cpopw      cpopw       "cpopw"       Unary      Zbb        Plain      0b0110000_00010_00000_001_00000_0011011;
            SextB      sext_b      "sext.b"      Unary      Zbb        Plain      0b0110000_00100_00000_001_00000_0010011;
            SextH      sext_h      "sext.h"      Unary      Zbb        Plain      0b0110000_00101_00000_001_00000_0010011;
            Max        max         "max"         R          Zbb        Plain      0b0000101_00000_00000_110_00000_0110011;
            Maxu       maxu        "maxu"        R          Zbb        Plain      0b0000101_00000_00000_111_00000_0110011;
            Min        min         "min"         R          Zbb        Plain      0b0000101_00000_00000_100_00000_0110011;
            Minu       minu        "minu"        R          Zbb        Plain      0b0000101_00000_00000_101_00000_0110011;
            Rol        rol         "rol"         R          Zbb        Plain      0b0110000_00000_00000_001_00000_0110011;
            Rolw       rolw        "rolw"        R          Zbb        Plain      0b0110000_00000_00000_001_00000_0111011;
            Ror        ror         "ror"         R          Zbb        Plain      0b0110000_00000_00000_101_00000_0110011;
            Rori       rori        "rori"        Shift6     Zbb        Plain      0b0110000_00000_00000_101_00000_0010011;
            Roriw      roriw       "roriw"       Shift5     Zbb        Plain      0b0110000_00000_00000_101_00000_0011011;
            Rorw       rorw        "rorw"        R          Zbb        Plain      0b0110000_00000_00000_101_00000_0111011;
            OrcB       orc_b       "orc.b"       Unary      Zbb        Plain      0b0010100_00111_00000_101_00000_0010011;
            Rev8       rev8        "rev8"        Unary      Zbb        Plain      0b0110101_11000_00000_101_00000_0010011;
            // Zbkb, bit manipulation for cryptography; `packw` with x0 is `zext.h` of Zbb.
            Pack       pack        "pack"        R          Zbkb       Plain      0b0000100_00000_00000_100_00000_0110011;
            Packh      packh       "packh"       R          Zbkb       Plain      0b0000100_00000_00000_111_00000_0110011;
            Packw      packw       "packw"       R          Zbkb       Plain      0b0000100_00000_00000_100_00000_0111011;
            Brev8      brev8       "brev8"       Unary      Zbkb       Plain      0b0110100_00111_00000_101_00000_0010011;
            // Zbc and Zbkc, carry-less multiplication.
            Clmul      clmul       "clmul"       R          Zbkc       Plain      0b0000101_00000_00000_001_00000_0110011;
            Clmulh     clmulh      "clmulh"      R          Zbkc       Plain      0b0000101_00000_00000_011_00000_0110011;
            Clmulr     clmulr      "clmulr"      R          Zbc        Plain      0b0000101_00000_00000_010_00000_0110011;
            // Zbkx, crossbar permutations.
            Xperm4     xperm4      "xperm4"      R          Zbkx       Plain      0b0010100_00000_00000_010_00000_0110011;
            Xperm8     xperm8      "xperm8"      R          Zbkx       Plain      0b0010100_00000_00000_100_00000_0110011;
            // Zbs, single bits.
            Bclr       bclr        "bclr"        R          Zbs        Plain      0b0100100_00000_00000_001_00000_0110011;
            Bclri      bclri       "bclri"       Shift6     Zbs        Plain      0b0100100_00000_00000_001_00000_0010011;
            Bext       bext        "bext"        R          Zbs        Plain      0b0100100_00000_00000_101_00000_0110011;
            Bexti      bexti       "bexti"       Shift6     Zbs        Plain      0b0100100_00000_00000_101_00000_0010011;
            Binv       binv        "binv"        R          Zbs        Plain      0b0110100_00000_00000_001_00000_0110011;
            Binvi      binvi       "binvi"       Shift6     Zbs        Plain      0b0110100_00000_00000_001_00000_0010011;
            Bset       bset        "bset"        R          Zbs        Plain      0b0010100_00000_00000_001_00000_0110011;
            Bseti      bseti       "bseti"       Shift6     Zbs        Plain      0b0010100_00000_00000_001_00000_0010011;
            // Zicond, conditional zeroing.
            CzeroEqz   czero_eqz   "czero.eqz"   R          Zicond     Plain      0b0000111_00000_00000_101_00000_0110011;
            CzeroNez   czero_nez   "czero.nez"   R          Zicond     Plain      0b0000111_00000_00000_111_00000_0110011;
            // Zicbom and Zicboz, cache blocks. (The prefetches of Zicbop are spellings of `ori`.)
            CboInval   cbo_inval   "cbo.inval"   CacheBlock Zicbom     Access     0b0000000_00000_00000_010_00000_0001111;
            CboClean   cbo_clean   "cbo.clean"   CacheBlock Zicbom     Access     0b0000000_00001_00000_010_00000_0001111;
            CboFlush   cbo_flush   "cbo.flush"   CacheBlock Zicbom     Access     0b0000000_00010_00000_010_00000_0001111;
            CboZero    cbo_zero    "cbo.zero"    CacheBlock Zicboz     Access     0b0000000_00100_00000_010_00000_0001111;
            // Zawrs, waiting on a reservation set.
            WrsNto     wrs_nto     "wrs.nto"     Bare       Zawrs      System     0b0000000_01101_00000_000_00000_1110011;
            WrsSto     wrs_sto     "wrs.sto"     Bare       Zawrs      Wait       0b0000000_11101_00000_000_00000_1110011;
            // Zfhmin and Zfh, half precision.
            Flh        flh         "flh"         FpLoad     Zfhmin     Access     0b0000000_00000_00000_001_00000_0000111;
            Fsh        fsh         "fsh"         FpStore    Zfhmin     Access     0b0000000_00000_00000_001_00000_0100111;
            FmvXH      fmv_x_h     "fmv.x.h"     FpToX      Zfhmin     Float      0b1110010_00000_00000_000_00000_1010011;
            FmvHX      fmv_h_x     "fmv.h.x"     XToFp      Zfhmin     Float      0b1111010_00000_00000_000_00000_1010011;
            FcvtSH     fcvt_s_h    "fcvt.s.h"    FpWiden    Zfhmin     Float      0b0100000_00010_00000_000_00000_1010011;
            FcvtHS     fcvt_h_s    "fcvt.h.s"    FpUnary    Zfhmin     Float      0b0100010_00000_00000_000_00000_1010011;
            FcvtDH     fcvt_d_h    "fcvt.d.h"    FpWiden    Zfhmin     Float      0b0100001_00010_00000_000_00000_1010011;
            FcvtHD     fcvt_h_d    "fcvt.h.d"    FpUnary    Zfhmin     Float      0b0100010_00001_00000_000_00000_1010011;
            FmaddH     fmadd_h     "fmadd.h"     FpR4       Zfh        Float      0b0000010_00000_00000_000_00000_1000011;
            FmsubH     fmsub_h     "fmsub.h"     FpR4       Zfh        Float      0b0000010_00000_00000_000_00000_1000111;
            FnmsubH    fnmsub_h    "fnmsub.h"    FpR4       Zfh        Float      0b0000010_00000_00000_000_00000_1001011;
            FnmaddH    fnmadd_h    "fnmadd.h"    FpR4       Zfh        Float      0b0000010_00000_00000_000_00000_1001111;
            FaddH      fadd_h      "fadd.h"      FpArith    Zfh        Float      0b0000010_00000_00000_000_00000_1010011;
            FsubH      fsub_h      "fsub.h"      FpArith    Zfh        Float      0b0000110_00000_00000_000_00000_1010011;
            FmulH      fmul_h      "fmul.h"      FpArith    Zfh        Float      0b0001010_00000_00000_000_00000_1010011;
            FdivH      fdiv_h      "fdiv.h"      FpArith    Zfh        Float      0b0001110_00000_00000_000_00000_1010011;
            FsqrtH     fsqrt_h     "fsqrt.h"     FpUnary    Zfh        Float      0b0101110_00000_00000_000_00000_1010011;
            FsgnjH     fsgnj_h     "fsgnj.h"     FpR        Zfh        Float      0b0010010_00000_00000_000_00000_1010011;
            FsgnjnH    fsgnjn_h    "fsgnjn.h"    FpR        Zfh        Float      0b0010010_00000_00000_001_00000_1010011;
            FsgnjxH    fsgnjx_h    "fsgnjx.h"    FpR        Zfh        Float      0b0010010_00000_00000_010_00000_1010011;
            FminH      fmin_h      "fmin.h"      FpR        Zfh        Float      0b0010110_00000_00000_000_00000_1010011;
            FmaxH      fmax_h      "fmax.h"      FpR        Zfh        Float      0b0010110_00000_00000_001_00000_1010011;
            FleH       fle_h       "fle.h"       FpCompare  Zfh        Float      0b1010010_00000_00000_000_00000_1010011;
            FltH       flt_h       "flt.h"       FpCompare  Zfh        Float      0b1010010_00000_00000_001_00000_1010011;
            FeqH       feq_h       "feq.h"       FpCompare  Zfh        Float      0b1010010_00000_00000_010_00000_1010011;
            FclassH    fclass_h    "fclass.h"    FpToX      Zfh        Float      0b1110010_00000_00000_001_00000_1010011;
            FcvtWH     fcvt_w_h    "fcvt.w.h"    FpToInt    Zfh        Float      0b1100010_00000_00000_000_00000_1010011;
            FcvtWuH    fcvt_wu_h   "fcvt.wu.h"   FpToInt    Zfh        Float      0b1100010_00001_00000_000_00000_1010011;
            FcvtLH     fcvt_l_h    "fcvt.l.h"    FpToInt    Zfh        Float      0b1100010_00010_00000_000_00000_1010011;
            FcvtLuH    fcvt_lu_h   "fcvt.lu.h"   FpToInt    Zfh        Float      0b1100010_00011_00000_000_00000_1010011;
            FcvtHW     fcvt_h_w    "fcvt.h.w"    IntToFp    Zfh        Float      0b1101010_00000_00000_000_00000_1010011;
            FcvtHWu    fcvt_h_wu   "fcvt.h.wu"   IntToFp    Zfh        Float      0b1101010_00001_00000_000_00000_1010011;
            FcvtHL     fcvt_h_l    "fcvt.h.l"    IntToFp    Zfh        Float      0b1101010_00010_00000_000_00000_1010011;
            FcvtHLu    fcvt_h_lu   "fcvt.h.lu"   IntToFp    Zfh        Float      0b1101010_00011_00000_000_00000_1010011;
            // Zfa, additional floating point (those of a format need its extension too: see `gate`).
            FliS       fli_s       "fli.s"       FpConstant Zfa        Float      0b1111000_00001_00000_000_00000_1010011;
            FminmS     fminm_s     "fminm.s"     FpR        Zfa        Float      0b0010100_00000_00000_010_00000_1010011;
            FmaxmS     fmaxm_s     "fmaxm.s"     FpR        Zfa        Float      0b0010100_00000_00000_011_00000_1010011;
            FroundS    fround_s    "fround.s"    FpUnary    Zfa        Float      0b0100000_00100_00000_000_00000_1010011;
            FroundnxS  froundnx_s  "froundnx.s"  FpUnary    Zfa        Float      0b0100000_00101_00000_000_00000_1010011;
            FleqS      fleq_s      "fleq.s"      FpCompare  Zfa        Float      0b1010000_00000_00000_100_00000_1010011;
            FltqS      fltq_s      "fltq.s"      FpCompare  Zfa        Float      0b1010000_00000_00000_101_00000_1010011;
            FliD       fli_d       "fli.d"       FpConstant Zfa        Float      0b1111001_00001_00000_000_00000_1010011;
            FminmD     fminm_d     "fminm.d"     FpR        Zfa        Float      0b0010101_00000_00000_010_00000_1010011;
            FmaxmD     fmaxm_d     "fmaxm.d"     FpR        Zfa        Float      0b0010101_00000_00000_011_00000_1010011;
            FroundD    fround_d    "fround.d"    FpUnary    Zfa        Float      0b0100001_00100_00000_000_00000_1010011;
            FroundnxD  froundnx_d  "froundnx.d"  FpUnary    Zfa        Float      0b0100001_00101_00000_000_00000_1010011;
            FleqD      fleq_d      "fleq.d"      FpCompare  Zfa        Float      0b1010001_00000_00000_100_00000_1010011;
            FltqD      fltq_d      "fltq.d"      FpCompare  Zfa        Float      0b1010001_00000_00000_101_00000_1010011;
            FliH       fli_h       "fli.h"       FpConstant Zfa        Float      0b1111010_00001_00000_000_00000_1010011;
            FminmH     fminm_h     "fminm.h"     FpR        Zfa        Float      0b0010110_00000_00000_010_00000_1010011;
            FmaxmH     fmaxm_h     "fmaxm.h"     FpR        Zfa        Float      0b0010110_00000_00000_011_00000_1010011;
            FroundH    fround_h    "fround.h"    FpUnary    Zfa        Float      0b0100010_00100_00000_000_00000_1010011;
            FroundnxH  froundnx_h  "froundnx.h"  FpUnary    Zfa        Float      0b0100010_00101_00000_000_00000_1010011;
            FleqH      fleq_h      "fleq.h"      FpCompare  Zfa        Float      0b1010010_00000_00000_100_00000_1010011;
            FltqH      fltq_h      "fltq.h"      FpCompare  Zfa        Float      0b1010010_00000_00000_101_00000_1010011;
            FcvtmodWD  fcvtmod_w_d "fcvtmod.w.d" FpModular  Zfa        Float      0b1100001_01000_00000_001_00000_1010011;
        }
    };
}
