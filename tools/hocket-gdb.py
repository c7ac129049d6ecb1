# SPDX-License-Identifier: MIT
"""hocket in gdb: the strands of the program, or of its core, and what each waits for.

    (gdb) source hocket-gdb.py
    (gdb) hocket strands            all, with a backtrace of each
    (gdb) hocket strands brief      without

A thread's own strand has the thread's backtrace. A coroutine that does not run has left its
registers on its stack (src/os/ARCH/switch.S); gdb is told that this is how the selected thread goes
on, and for as long as the question takes it believes so. Nothing in the program is changed.

Cores that the kernel writes have all of it. gdb's own gcore leaves out the stacks of coroutines: it
gives up each mapping that has a guard page in it.
"""
import gdb
import gdb.unwinder

# Where a context has its registers, from its stack pointer on; and its size.
CONTEXTS = {
    "i386:x86-64": ("rip", "rsp", 184, {"r15": 0, "r14": 8, "r13": 16, "r12": 24, "rbx": 32,
                                       "rbp": 40, "rip": 48}),
    "aarch64": ("pc", "sp", 160, {**{f"x{19 + i}": 8 * i for i in range(12)}, "pc": 88}),
}


def number(value):
    """An address or an integer, as an integer of Python's."""
    return int(value.cast(gdb.lookup_type("unsigned long")))


def word_at(address):
    kind = gdb.lookup_type("unsigned long").pointer()
    return int(gdb.Value(address).cast(kind).dereference())


def text_at(value):
    return value.string(errors="replace") if number(value) else ""


class Pretence(gdb.unwinder.Unwinder):
    """Says of the innermost frame of the selected thread that a context called it."""

    def __init__(self):
        super().__init__("hocket")
        self.context = None
        self.innermost = None

    def __call__(self, frame):
        if self.context is None:
            return None
        pc, sp, size, places = CONTEXTS[frame.architecture().name()]
        here = [int(frame.read_register(name).cast(gdb.lookup_type("unsigned long")))
                for name in (pc, sp)]
        if here != self.innermost:
            return None
        # As if the frame lay where the context does, for gdb likes callers to be further out.
        sp_type, pc_type = (frame.read_register(name).type for name in (sp, pc))
        frame_id = FrameId(gdb.Value(self.context).cast(sp_type), gdb.Value(here[0]).cast(pc_type))
        info = frame.create_unwind_info(frame_id)
        values = {name: word_at(self.context + place) for name, place in places.items()}
        values[sp] = self.context + size
        for name, value in values.items():
            kind = frame.read_register(name).type
            info.add_saved_register(name, gdb.Value(value).cast(kind))
        return info

    def frames(self, context):
        """The frames of a context that does not run, innermost first, in words."""
        gdb.newest_frame().select()
        pc, sp = CONTEXTS[gdb.newest_frame().architecture().name()][:2]
        self.innermost = [number(gdb.newest_frame().read_register(name)) for name in (pc, sp)]
        self.context = context
        gdb.invalidate_cached_frames()
        try:
            return frames_from(gdb.newest_frame().older())
        finally:
            self.context = None
            gdb.invalidate_cached_frames()


class FrameId:
    """What gdb asks of a frame's identity."""

    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


def frames_from(frame):
    lines = []
    while frame is not None and frame.is_valid():
        where = frame.find_sal()
        place = f" at {where.symtab.filename}:{where.line}" if where.symtab else ""
        lines.append(f"{frame.name() or hex(frame.pc())}{place}")
        frame = frame.older()
    return lines


def threads():
    """The records of all threads that hocket knows, and their strands (0: not begun)."""
    kind = gdb.lookup_type("struct hkt_thread")
    offset = number(gdb.Value(0).cast(kind.pointer())["node"].address)
    head = gdb.parse_and_eval("&hkti_registry")
    node = head["next"]
    while number(node) and number(node) != number(head):
        yield gdb.Value(number(node) - offset).cast(kind.pointer()).dereference()
        node = node["next"]


def colour(high):
    """How far below the end of its stack a record lies: as in src/strand/carrier.c."""
    return ((high >> 12) * 0x9E3779B97F4A7C15 % 2**64 >> 61) * 64


def coroutines():
    """All coroutines: the record of each lies near the upper end of its stack."""
    kind = gdb.lookup_type("struct hkti_coroutine")
    record = (kind.sizeof + 63) & ~63
    pools = gdb.parse_and_eval("stack_pools")
    for order in range(pools.type.range()[1] + 1):
        slab = pools[order]["slabs"]
        while number(slab):
            size, memory = number(slab["slot_size"]), number(slab["memory"])
            for index in range(number(slab["fresh"])):
                if number(slab["slots"][index]["in_use"]):
                    high = memory + (index + 1) * size
                    high -= colour(high)
                    coroutine = gdb.Value(high - record).cast(kind.pointer())
                    if number(coroutine["carrier"]):  # else its worker has not begun
                        yield coroutine
            slab = slab["next"]


def state_of(strand):
    what = text_at(strand["what"])
    if not what:
        return None
    timed = ", with a deadline" if number(strand["timed"]) else ""
    return f"waits for {what} {hex(number(strand['object']))}{timed}"


def say(heading, frames):
    print(heading)
    for level, line in enumerate(frames):
        print(f"    #{level:<2} {line}")


def spares_of(carrier):
    spare, found = carrier["spare"], set()
    kind = gdb.lookup_type("struct hkti_coroutine")
    offset = number(gdb.Value(0).cast(kind.pointer())["ready"].address)
    while number(spare):
        found.add(number(spare) - offset)
        spare = spare["next"]
    return found


class Strands(gdb.Command):
    """hocket strands [brief]: all strands, what each waits for, and a backtrace of each."""

    def __init__(self, pretence):
        super().__init__("hocket strands", gdb.COMMAND_STACK)
        self.pretence = pretence

    def invoke(self, argument, from_tty):
        if argument not in ("", "brief"):
            raise gdb.GdbError("hocket strands [brief]")
        if gdb.selected_thread() is None:
            raise gdb.GdbError("hocket: there is no program")
        selected, frame = gdb.selected_thread(), gdb.selected_frame().level()
        try:
            self.show(argument != "brief")
        except gdb.error as error:
            raise gdb.GdbError(f"hocket: {error} (is the library there, built with -g?)")
        finally:
            selected.switch()
            gdb.execute(f"frame {frame}", to_string=True)

    def show(self, with_frames):
        by_id = {thread.ptid[1]: thread for thread in gdb.selected_inferior().threads()}
        for record in threads():
            if not number(record["strand"]):
                continue
            strand = record["strand"]
            native = number(strand["native_id"])
            name = text_at(record["name"].cast(gdb.lookup_type("char").pointer()))
            frames = []
            if with_frames and native in by_id:
                by_id[native].switch()
                frames = frames_from(gdb.newest_frame())
            say(f'thread "{name}" {native}: {state_of(strand) or "runs"}', frames)
        spares, carriers = set(), set()
        for coroutine in coroutines():
            carrier = coroutine["carrier"]
            if number(carrier) not in carriers:
                carriers.add(number(carrier))
                spares |= spares_of(carrier)
            if number(coroutine) not in spares:
                self.show_coroutine(coroutine, carrier, with_frames)

    def show_coroutine(self, coroutine, carrier, with_frames):
        state, frames = state_of(coroutine["strand"]), []
        if number(carrier["current"]) == number(coroutine):
            state = f"{state or 'runs'} (its frames are the thread's)"
        elif with_frames:
            frames = self.pretence.frames(number(coroutine["context"]["stack_pointer"]))
        record = coroutine["strand"]["thread"].cast(gdb.lookup_type("struct hkt_thread").pointer())
        name = text_at(record["name"].cast(gdb.lookup_type("char").pointer()))
        say(f'strand {hex(number(coroutine))} on "{name}": {state or "is ready"}', frames)


class Hocket(gdb.Command):
    """hocket: what the library knows of the program; see `help hocket strands`."""

    def __init__(self):
        super().__init__("hocket", gdb.COMMAND_STACK, prefix=True)


PRETENCE = Pretence()
gdb.unwinder.register_unwinder(None, PRETENCE, replace=True)
Hocket()
Strands(PRETENCE)
