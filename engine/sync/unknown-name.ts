/** Somebody named a connection, a side, a record or a version that is not there. */
export class UnknownName extends Error {
  override readonly name = "UnknownName";
}
