import { describe } from "vitest";
import { attachmentCases } from "./conformance/attachments.ts";
import { closingCases } from "./conformance/closing.ts";
import { deleteCases } from "./conformance/deletes.ts";
import { feedCases } from "./conformance/feed.ts";
import { feedTroubleCases } from "./conformance/feed-trouble.ts";
import { feedWriterCases } from "./conformance/feed-writers.ts";
import { lookupCases } from "./conformance/lookups.ts";
import { lostAnswerCases } from "./conformance/lost-answers.ts";
import { permissionCases } from "./conformance/permissions.ts";
import { pushCases } from "./conformance/push.ts";
import { readingCases } from "./conformance/reading.ts";
import { schemaCases } from "./conformance/schema.ts";
import { signInCases } from "./conformance/sign-in.ts";
import { type OpenTestbed, suiteOf } from "./conformance/stage.ts";
import { textCases } from "./conformance/texts.ts";
import { troubleCases } from "./conformance/trouble.ts";
import { valueCases } from "./conformance/values.ts";
import { writingCases } from "./conformance/writing.ts";

/**
 * The suite that every connector must pass, said in terms of connector.ts alone. It stands between the connector and its platform and
 * makes the troubles itself, so a platform supplies no more than an instance, people in it, and its own words for a few things
 * (conformance/testbed.ts). Cases that a platform cannot have by its capabilities are not generated.
 */
export function describeConformance(platformName: string, openTestbed: OpenTestbed): void {
  describe(`The ${platformName} connector`, async () => {
    const suite = await suiteOf(openTestbed);
    signInCases(suite);
    schemaCases(suite);
    readingCases(suite);
    lookupCases(suite);
    feedCases(suite);
    feedWriterCases(suite);
    feedTroubleCases(suite);
    deleteCases(suite);
    writingCases(suite);
    lostAnswerCases(suite);
    attachmentCases(suite);
    textCases(suite);
    valueCases(suite);
    permissionCases(suite);
    troubleCases(suite, platformName);
    pushCases(suite);
    closingCases(suite, platformName);
  });
}
