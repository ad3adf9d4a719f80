import type { Tables } from "../../simulation/tables.ts";
import { salesforceId } from "../id.ts";
import type { Row } from "./org.ts";
import type { OrgObject, OrgSchema } from "./schema.ts";

const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/** Characters 4 and 5 of an id name the instance of the org. */
const instanceCode = "5g";

/** Gives out record ids and automatic numbers, upwards, and goes on after a restart where the rows end. */
export class IdSequence {
  readonly #last = new Map<string, number>();
  readonly #numbers = new Map<string, number>();

  constructor(tables: Tables<Row>, schema: OrgSchema) {
    for (const object of schema.objects()) {
      for (const row of tables.rows(object.name)) {
        const prefix = row.Id.slice(0, 3);
        this.#last.set(prefix, Math.max(this.#last.get(prefix) ?? 0, fromDigits(row.Id.slice(5, 15))));
        for (const field of object.fields.values()) {
          if (field.autoNumber)
            this.#numbers.set(`${object.name}.${field.name}`, Math.max(this.#numbers.get(`${object.name}.${field.name}`) ?? 0, Number(row[field.name])));
        }
      }
    }
  }

  next(object: OrgObject): string {
    const prefix = object.definition.keyPrefix;
    const number = (this.#last.get(prefix) ?? 0) + 1;
    this.#last.set(prefix, number);
    return salesforceId(prefix + instanceCode + toDigits(number).padStart(10, "0")) ?? "";
  }

  nextNumber(object: string, field: string): number {
    const number = (this.#numbers.get(`${object}.${field}`) ?? 999) + 1;
    this.#numbers.set(`${object}.${field}`, number);
    return number;
  }
}

function toDigits(number: number): string {
  let text = "";
  for (let rest = number; rest > 0; rest = Math.floor(rest / 62)) text = (digits[rest % 62] ?? "") + text;
  return text;
}

function fromDigits(text: string): number {
  return [...text].reduce((number, digit) => number * 62 + digits.indexOf(digit), 0);
}
