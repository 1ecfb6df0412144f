"""What tests see of a program that runs in another instance.

Everything that tests do to the program's names is an operation: an entry in a
list that is carried out over there. Where its result is not known yet, tests
get a `Remote` that stands for it, which further operations can be done to; what
cannot be answered without the result raises `Pending`.

What the program says about itself counts for nothing here: a result that is no
plain data equals nothing but itself and takes no part in arithmetic, unless the
tests made the object themselves by calling a class by its name.
"""

import builtins

from omni_values import Unplain, plain, value_of

# Around the number of an operation whose result is an argument; never part of a literal.
OPEN, CLOSE = "\x01", "\x02"
MOST = 4000


class Pending(BaseException):
    """The result of an operation is needed that nobody has carried out yet."""


class Beyond(BaseException):
    """The tests do what cannot be carried over to another instance."""


class Enough(BaseException):
    """So much is to be carried out that looking further is no use."""


class Session:
    """The operations so far, those of them that have results, and where we are."""

    def __init__(self, operations, results, entry):
        self.operations = list(operations)
        self._results = "[" + ",".join(results) + "]"
        self.known = len(results)
        self._untouched = None
        self.entry = entry
        self.exceptions = {}
        self.missing = None
        # Objects that the tests make keep a state: what is done to them has to be done in the
        # order of the tests. What functions give is taken to depend on their arguments alone,
        # and on the calls with the same ones before.
        self.strict = any(it[:8] == "'name','" and it[8:9].isupper() for it in operations)
        self.restart(False)
        for result in self.results:
            if result[0] in ("e", "x"):
                self.exception(result[1][0] if result[0] == "e" else result[1])

    def restart(self, looking):
        """From the beginning; `looking` for all operations instead of stopping
        at the first whose result is not known."""
        # Anew, since the tests may have changed what they were given.
        self.results = value_of(self._results)
        self.names = {}
        self.at = 0
        del self.operations[self.known :]
        self.waiting = {}
        if not self.strict:
            for at in range(self.known):
                self.waiting.setdefault(self.expanded(at), []).append(at)
            for found in self.waiting.values():
                found.reverse()
        self.looking = looking
        self.stopped = None
        self.skipped = 0

    def name(self, name):
        """What the program defines by this name."""
        found = self.names.get(name, self.exceptions.get(name))
        if found is None:
            made = "class" if name[:1].isupper() and name != self.entry else False
            found = self.perform("name", name, (), {}, made)
            if type(found) is Remote:
                self.names[name] = found
        return found

    def stop(self, error):
        """Stops the tests, who may well catch what is raised."""
        if self.stopped is None or isinstance(error, Beyond):
            self.stopped = error
        raise error

    def pending(self):
        if self.looking:
            self.skipped += 1
            if self.skipped > MOST:
                self.stop(Enough())
            raise Pending
        self.stop(Pending())

    def perform(self, what, target, arguments=(), named=None, made=False):
        named = named or {}
        text = self.text(what, target, arguments, named)
        at = self.find(text)
        if at is not None:
            return self.result(at, arguments, named, made)
        if not self.looking:
            self.missing = text
            self.stop(Pending())
        at = len(self.operations)
        if at >= MOST:
            self.stop(Enough())
        self.operations.append(text)
        return Remote(self, at, None, made)

    def find(self, text):
        """The operation that this is, if it was carried out."""
        if not self.strict:
            found = self.waiting.get(text)
            return found.pop() if found else None
        at = self.at
        self.at += 1
        if at < self.known and self.expanded(at) == text:
            return at
        # The tests went another way than it looked like without results.
        self.known = min(self.known, at)
        del self.operations[max(self.known, at) :]
        return None

    def text(self, what, target, arguments, named):
        # `isinstance` would ask a `Remote` for its class.
        if type(target) is str:
            target = repr(target)
        else:
            target = self.argument(target)
        arguments = "".join([self.argument(it) + "," for it in arguments])
        named = ",".join([repr(name) + ":" + self.argument(it) for name, it in named.items()])
        return f"{what!r},{target},({arguments}),{{{named}}}"

    def argument(self, value):
        kind = type(value)
        if kind is Remote:
            return OPEN + str(value.__at__) + CLOSE
        try:
            return plain(value)
        except Unplain:
            pass
        if kind is list:
            return "[" + ",".join([self.argument(it) for it in value]) + "]"
        if kind is tuple:
            return "(" + "".join([self.argument(it) + "," for it in value]) + ")"
        if kind is dict:
            return "{" + ",".join([plain(k) + ":" + self.argument(v) for k, v in value.items()]) + "}"
        self.stop(Beyond(f"an argument of type {kind.__name__}"))

    def expanded(self, at):
        """An operation with the results that have become known written out."""
        text = self.operations[at]
        if OPEN not in text:
            return text
        pieces = text.split(OPEN)
        for i in range(1, len(pieces)):
            number, _, rest = pieces[i].partition(CLOSE)
            of = int(number)
            if of < self.known and self._pristine()[of][0] == "v":
                pieces[i] = plain(self._pristine()[of][1]) + rest
            else:
                pieces[i] = OPEN + pieces[i]
        return "".join(pieces)

    def _pristine(self):
        if self._untouched is None:
            self._untouched = value_of(self._results)
        return self._untouched

    def result(self, at, arguments, named, made):
        kind, value, changed = self.results[at]
        for key, after in changed.items():
            _become(arguments[key] if isinstance(key, int) else named[key], after)
        if kind == "v":
            return value
        if kind == "a":
            return arguments[value]
        if kind == "g":
            return self.given(*value)
        if kind == "x":
            return self.exception(value)
        if kind == "e":
            raise self.raised(*value)
        return Remote(self, at, value, made)

    def raised(self, names, arguments):
        kind = self.exception(names)
        try:
            return kind(*arguments)
        except BaseException:
            return RuntimeError(names[0])

    def given(self, items, done):
        yield from items
        if not done:
            self.stop(Beyond("more than a generator's first values"))

    def exception(self, names):
        """The exception of that name, or one made for it from the nearest known."""
        names = list(names)
        found = BaseException
        for name in reversed(names):
            known = getattr(builtins, name, None)
            if isinstance(known, type) and issubclass(known, BaseException):
                found = known
                continue
            if name not in self.exceptions:
                self.exceptions[name] = type(name, (found,), {})
            found = self.exceptions[name]
        return found


def _become(old, new):
    """Makes an argument what the program made of it, in place."""
    if isinstance(old, list):
        for at in range(min(len(old), len(new))):
            if type(old[at]) is type(new[at]) and type(new[at]) in (list, dict, set):
                _become(old[at], new[at])
            else:
                old[at] = new[at]
        del old[len(new) :]
        old.extend(new[len(old) :])
    elif isinstance(old, dict):
        old.clear()
        old.update(new)
    elif isinstance(old, set):
        old.clear()
        old |= new
    else:
        old[:] = new


class Remote:
    """The result of an operation, which is over there."""

    __slots__ = ("__at__", "__known__", "__made__", "__session__")

    def __init__(self, session, at, known, made):
        object.__setattr__(self, "__session__", session)
        object.__setattr__(self, "__at__", at)
        object.__setattr__(self, "__known__", known)
        object.__setattr__(self, "__made__", made)

    def __getattr__(self, name):
        if name[:2] == "__" and name not in ("__name__", "__doc__", "__dict__", "__wrapped__"):
            raise AttributeError(name)
        return self.__session__.perform("getattr", self, (name,))

    def __deepcopy__(self, _):
        if self.__known__ is None:
            # Of plain data a copy is as good; what else it may be is seen later.
            return self
        return self.__session__.perform("deepcopy", self, (), None, self.__made__)

    def __copy__(self):
        if self.__known__ is None:
            return self
        return self.__session__.perform("copy", self, (), None, self.__made__)

    def __setattr__(self, name, value):
        self.__session__.perform("setattr", self, (name, value))

    def __call__(self, *arguments, **named):
        return self.__session__.perform("call", self, arguments, named, self.__made__ == "class")

    @property
    def __class__(self):
        if self.__known__ is None:
            self.__session__.pending()
        return Remote

    def __eq__(self, other):
        return _compare(self, "eq", other, self is other)

    def __ne__(self, other):
        return _compare(self, "ne", other, self is not other)

    def __hash__(self):
        return self.__at__

    def __iter__(self):
        items = _asked(self, "iter")
        if type(items) is Remote:
            items = [items[at] for at in range(len(items))]
        return iter(items)

    def __contains__(self, item):
        if self.__known__ is not None and self.__made__ is True:
            return _asked(self, "contains", item)
        return item in list(self)

    def __exit__(self, *_):
        _asked(self, "exit")


def _asked(self, what, *arguments):
    """An operation whose result has to be known at once."""
    if self.__known__ is None and self.__made__ is not True:
        # It may be plain data, to which nothing is done over there.
        self.__session__.pending()
    result = self.__session__.perform(what, self, arguments)
    if type(result) is Remote and result.__known__ is None:
        self.__session__.pending()
    return result


def _all_made(*values):
    return all([type(it) is not Remote or it.__made__ is True for it in values])


def _compare(self, what, other, same):
    if type(other) is Remote and _all_made(self, other):
        return self.__session__.perform(what, self, (other,))
    if self.__known__ is None or type(other) is Remote and other.__known__ is None:
        self.__session__.pending()
    return same


def _method(what):
    def method(self, *arguments):
        return _asked(self, what, *arguments)

    return method


def _operator(what, swapped=False):
    """One between objects that the tests made, whose result they made too."""

    def method(self, *others):
        if not _all_made(self, *others):
            if any([type(it) is Remote and it.__known__ is None for it in (self, *others)]):
                self.__session__.pending()
            return NotImplemented
        first, *rest = (*others, self) if swapped else (self, *others)
        return self.__session__.perform(what, first, tuple(rest), None, True)

    return method


def _dress():
    """Gives `Remote` the methods that only differ in their names."""
    for name in "len next str repr format int float bool round reversed enter".split():
        setattr(Remote, f"__{name}__", _method(name))
    Remote.__index__ = _method("int")
    for name in "getitem setitem delitem".split():
        setattr(Remote, f"__{name}__", _method(name))
    for name in "lt le gt ge abs neg pos invert".split():
        setattr(Remote, f"__{name}__", _operator(name))
    for name in "add sub mul matmul truediv floordiv mod pow and or xor lshift rshift".split():
        over = name + "_" if name in ("and", "or") else name
        setattr(Remote, f"__{name}__", _operator(over))
        setattr(Remote, f"__r{name}__", _operator(over, True))
    Remote.__instancecheck__ = lambda self, it: _asked(self, "isinstance", it)
    Remote.__subclasscheck__ = lambda self, it: _asked(self, "issubclass", it)


_dress()
