import { pipeline, Readable, Transform } from "node:stream";
import type { HttpCall } from "./http.ts";

/** The time that one try of a call has. */
export interface Deadline {
  lift(): void;
  /** Starts it anew. */
  putOff(): void;
}

/** A large file may take longer than any call should: while its bytes move, the deadline is put off. */
export function moving(call: HttpCall, deadline: Deadline): HttpCall {
  if (!(call.body?.data instanceof Readable)) return call;
  const passed = new Transform({
    transform(chunk, _, done) {
      deadline.putOff();
      done(null, chunk);
    },
  });
  // Whoever reads what is passed on meets the error of either end.
  pipeline(call.body.data, passed, () => undefined);
  return { ...call, body: { ...call.body, data: passed } };
}
