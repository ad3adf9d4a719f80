/**
 * Makes a fresh realm fit for a stranger's code that will run in it again and again: nothing but the language, nothing
 * that tells the time or rolls dice by itself, nothing that stays changed after a run.
 *
 * Runs once per isolate, before any rule text. Loaded as text into the isolate: it must import nothing outside `guest/`.
 */

/** What differs from run to run and is read by built-ins. */
export interface Pins {
  readonly now: number;
  random(): number;
}

/** Removes, replaces and freezes. `pins` tells the built-ins which run is on. */
export function lockDown(pins: () => Pins): void {
  removeUnsafeGlobals();
  closeCodeGeneration();
  pinDate(pins);
  pinRandom(pins);
  closeBuffers();
  closeErrorHooks();
  freezeIntrinsics();
}

/** Names that a rule may find on `globalThis`; all others go, so that a new V8 adds nothing unseen. */
const permitted = new Set(
  (
    "Object Function Array Number parseFloat parseInt Infinity NaN undefined Boolean String Symbol Date Promise RegExp Error AggregateError " +
    "EvalError RangeError ReferenceError SyntaxError TypeError URIError SuppressedError globalThis JSON Math ArrayBuffer Uint8Array Int8Array Uint16Array " +
    "Int16Array Uint32Array Int32Array BigUint64Array BigInt64Array Uint8ClampedArray Float32Array Float64Array DataView Map BigInt Set " +
    "Iterator WeakMap WeakSet Proxy Reflect decodeURI decodeURIComponent encodeURI encodeURIComponent isFinite isNaN"
  ).split(" "),
);

/**
 * `WebAssembly`, shared memory and resizable buffers allocate beyond every limit; `FinalizationRegistry` and `WeakRef` run code after the run;
 * `Intl` and `Temporal` allocate off the heap and read the clock [M]. What is not on the list is removed as well.
 */
function removeUnsafeGlobals(): void {
  for (const name of Reflect.ownKeys(globalThis)) {
    if (typeof name !== "string" || !permitted.has(name)) Reflect.deleteProperty(globalThis, name);
  }
  Reflect.deleteProperty(Date.prototype, "toTemporalInstant");
  Reflect.deleteProperty(Array, "fromAsync");
  // Legacy statics: `RegExp.$1`, `RegExp.lastMatch` keep text of the run before.
  for (const name of Reflect.ownKeys(RegExp)) {
    if (name !== "prototype" && name !== "length" && name !== "name" && name !== Symbol.species && name !== "escape") Reflect.deleteProperty(RegExp, name);
  }
  Reflect.deleteProperty(RegExp.prototype, "compile");
}

/** Text made into code could declare names that outlive the run: a global `let` cannot be frozen away. */
function closeCodeGeneration(): void {
  const samples = [
    () => {},
    async () => {},
    function* () {
      yield 0;
    },
    async function* () {
      yield 0;
    },
  ];
  for (const sample of samples) {
    const prototype = Object.getPrototypeOf(sample);
    const refuse = () => {
      throw new TypeError("code cannot be made from text in a rule");
    };
    Object.defineProperty(refuse, "name", { value: "Function" });
    Object.defineProperty(refuse, "prototype", { value: prototype, writable: false });
    Object.defineProperty(prototype, "constructor", { value: refuse, writable: false, configurable: false });
    if (prototype === Function.prototype) Object.defineProperty(globalThis, "Function", { value: refuse, writable: true, configurable: true });
  }
}

function pinDate(pins: () => Pins): void {
  const Real = Date;
  const Pinned = function (this: unknown, ...args: unknown[]) {
    if (new.target === undefined) return new Real(pins().now).toString();
    return Reflect.construct(Real, args.length === 0 ? [pins().now] : args, new.target);
  };
  Object.defineProperty(Pinned, "prototype", { value: Real.prototype, writable: false });
  Object.defineProperty(Pinned, "name", { value: "Date" });
  Object.defineProperty(Pinned, "length", { value: 7 });
  define(Pinned, { now: () => pins().now, parse: Real.parse, UTC: Real.UTC });
  Object.defineProperty(Real.prototype, "constructor", { value: Pinned, writable: true, configurable: true });
  Object.defineProperty(globalThis, "Date", { value: Pinned, writable: true, configurable: true });
}

function pinRandom(pins: () => Pins): void {
  define(Math, { random: () => pins().random() });
}

/** Buffers that grow in place pass every limit: 2.1 GB from an isolate of 64 MB [M]. */
function closeBuffers(): void {
  const Real = ArrayBuffer;
  const Plain = function (this: unknown, length: unknown) {
    if (new.target === undefined) throw new TypeError("Constructor ArrayBuffer requires 'new'");
    return Reflect.construct(Real, [length], new.target);
  };
  Object.defineProperty(Plain, "prototype", { value: Real.prototype, writable: false });
  Object.defineProperty(Plain, "name", { value: "ArrayBuffer" });
  define(Plain, { isView: Real.isView });
  Object.defineProperty(Real.prototype, "constructor", { value: Plain, writable: true, configurable: true });
  for (const name of ["resize", "transfer", "transferToFixedLength", "transferToImmutable"]) Reflect.deleteProperty(Real.prototype, name);
  Object.defineProperty(globalThis, "ArrayBuffer", { value: Plain, writable: true, configurable: true });
}

/** `Error.prepareStackTrace` runs whenever a stack is read, outside every time limit [M]: frozen away below, and short stacks. */
function closeErrorHooks(): void {
  Object.defineProperty(Error, "prepareStackTrace", { value: undefined, writable: false, configurable: false });
  Object.defineProperty(Error, "stackTraceLimit", { value: 20, writable: false, configurable: false });
}

function define(target: object, methods: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(methods)) Object.defineProperty(target, name, { value, writable: true, configurable: true });
}

/**
 * Objects whose frozen members must not stand in the way of ordinary code. Assigning `this.name = …` to an object that inherits a frozen
 * `name` throws ("override mistake"); an accessor in its place lets the assignment make an own property.
 * Not for all intrinsics: an accessor costs a call at each use of a method.
 */
function overridable(): [object, readonly string[]][] {
  const errors = [Error, AggregateError, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError, SuppressedError].filter(
    (type) => type !== undefined,
  );
  return [
    [Object.prototype, Object.getOwnPropertyNames(Object.prototype)],
    [Function.prototype, ["apply", "bind", "call", "constructor", "name", "length", "toString"]],
    [Array.prototype, ["toString", "join", "push", "concat", "filter", "find", "keys", "values", "entries", "at"]],
    [Date.prototype, ["toString", "toJSON", "valueOf", "toISOString"]],
    ...errors.map((type): [object, readonly string[]] => [type.prototype, ["constructor", "message", "name", "toString"]]),
    [Promise.prototype, ["catch", "finally"]],
  ];
}

function freezeIntrinsics(): void {
  // All accessors first: freezing one of their values would freeze, through its prototype, what the next one is to change.
  const covered: unknown[] = [];
  for (const [target, names] of overridable()) {
    for (const name of names) covered.push(makeOverridable(target, name));
  }
  // Hidden prototypes hang on no global name.
  const hidden: unknown[] = [
    Object.getPrototypeOf(Uint8Array),
    Object.getPrototypeOf([][Symbol.iterator]()),
    Object.getPrototypeOf(new Map()[Symbol.iterator]()),
    Object.getPrototypeOf(new Set()[Symbol.iterator]()),
    Object.getPrototypeOf(""[Symbol.iterator]()),
    Object.getPrototypeOf("".matchAll(/./g)),
    Object.getPrototypeOf(function* () {}),
    Object.getPrototypeOf(async function* () {}),
    Object.getPrototypeOf(async () => {}),
    Object.getPrototypeOf((async function* () {})()),
    Object.getPrototypeOf([].values().map((each) => each)),
    Object.getPrototypeOf(Iterator.from({ next: () => ({ done: true, value: undefined }) })),
    // In V8 every error's own `stack` has the same two functions behind it.
    Object.getOwnPropertyDescriptor(new Error(), "stack"),
  ];
  freezeDeep(globalThis);
  for (const each of [...hidden, ...covered]) freezeDeep(each);
  // The caller's accessors of sloppy functions are one shared object, reachable through a descriptor only.
  for (const descriptor of Object.values(Object.getOwnPropertyDescriptors(Function.prototype))) {
    freezeDeep(descriptor.get);
    freezeDeep(descriptor.set);
  }
}

/** Gives the value that the accessor now stands for. */
function makeOverridable(target: object, name: string): unknown {
  const descriptor = Object.getOwnPropertyDescriptor(target, name);
  if (descriptor === undefined || !("value" in descriptor) || !descriptor.configurable) return undefined;
  const { value } = descriptor;
  Object.defineProperty(target, name, {
    get: () => value,
    set(this: unknown, replacement: unknown) {
      if (this === target) throw new TypeError(`${name} of a built-in cannot be changed by a rule`);
      if (typeof this !== "object" && typeof this !== "function") return;
      Object.defineProperty(this, name, { value: replacement, writable: true, enumerable: true, configurable: true });
    },
    enumerable: false,
    configurable: false,
  });
  return value;
}

/** Freezes a value and everything that can be reached from it. Also for what the prelude shares between runs. */
export function freezeDeep<Value>(value: Value): Value {
  const left: unknown[] = [value];
  const done = new Set<unknown>();
  while (left.length > 0) {
    const each = left.pop();
    if ((typeof each !== "object" && typeof each !== "function") || each === null || done.has(each)) continue;
    done.add(each);
    // A typed array with elements cannot be frozen; none is shared.
    Object.freeze(each);
    left.push(Object.getPrototypeOf(each));
    for (const key of Reflect.ownKeys(each)) {
      // Most of what there is are functions, and these two of theirs are never objects.
      if (typeof each === "function" && (key === "length" || key === "name")) continue;
      const descriptor = Object.getOwnPropertyDescriptor(each, key);
      if (descriptor === undefined) continue;
      left.push(descriptor.value, descriptor.get, descriptor.set);
    }
  }
  return value;
}
