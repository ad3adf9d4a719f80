import type { FieldDefinition } from "./definitions.ts";
import { mergeable } from "./merge.ts";
import type { Row } from "./org.ts";
import type { OrgObject, OrgSchema } from "./schema.ts";

const lengthless = new Set(["boolean", "int", "double", "currency", "percent", "date", "datetime", "address", "base64"]);
const soapTypes: Readonly<Record<string, string>> = {
  id: "tns:ID",
  reference: "tns:ID",
  boolean: "xsd:boolean",
  int: "xsd:int",
  double: "xsd:double",
  currency: "xsd:double",
  percent: "xsd:double",
  date: "xsd:date",
  datetime: "xsd:dateTime",
  base64: "xsd:base64Binary",
  address: "urn:address",
};

/** `GET /sobjects`. */
export function describeGlobal(objects: readonly OrgObject[], version: string): unknown {
  return { encoding: "UTF-8", maxBatchSize: 200, sobjects: objects.map((object) => summary(object, version)) };
}

/** `GET /sobjects/{T}/describe`, with the keys that were recorded from real orgs [R]. */
export function describeObject(schema: OrgSchema, object: OrgObject, recordTypes: readonly Row[], version: string): unknown {
  return {
    actionOverrides: [],
    ...summary(object, version),
    childRelationships: schema.children(object.name).map(({ childObject, field, relationshipName, cascadeDelete }) => ({
      cascadeDelete,
      childSObject: childObject,
      deprecatedAndHidden: false,
      field,
      junctionIdListNames: [],
      junctionReferenceTo: [],
      relationshipName: relationshipName ?? null,
      restrictedDelete: false,
    })),
    compactLayoutable: true,
    fields: [...object.fields.values()].map(describeField),
    namedLayoutInfos: [],
    networkScopeFieldName: null,
    recordTypeInfos: [
      ...recordTypes.filter(({ IsDeleted }) => IsDeleted === false).map((row) => recordType(object, row, version)),
      masterRecordType(object, recordTypes.length === 0, version),
    ],
    searchLayoutable: true,
    supportedScopes: [{ label: `All ${labelPlural(object)}`, name: "everything" }],
    urls: urlsOf(object, version),
  };
}

/** `GET /sobjects/{T}`: the basics. */
export function describeBasics(object: OrgObject, version: string): unknown {
  return { objectDescribe: summary(object, version), recentItems: [] };
}

function summary(object: OrgObject, version: string): Record<string, unknown> {
  const { definition } = object;
  return {
    activateable: false,
    createable: definition.createable ?? true,
    custom: object.name.endsWith("__c"),
    customSetting: false,
    deepCloneable: false,
    deletable: definition.deletable ?? true,
    deprecatedAndHidden: false,
    feedEnabled: definition.feedEnabled ?? false,
    hasSubtypes: false,
    isInterface: false,
    isSubtype: false,
    keyPrefix: definition.keyPrefix,
    label: definition.label ?? object.name,
    labelPlural: labelPlural(object),
    layoutable: true,
    mergeable: mergeable.includes(object.name),
    mruEnabled: true,
    name: object.name,
    queryable: true,
    replicateable: true,
    retrieveable: true,
    searchable: true,
    triggerable: true,
    undeletable: definition.deletable ?? true,
    updateable: definition.updateable ?? true,
    urls: urlsOf(object, version),
  };
}

function describeField(field: FieldDefinition): Record<string, unknown> {
  const length = lengthless.has(field.type) ? 0 : field.type === "id" || field.type === "reference" ? 18 : (field.length ?? 255);
  const numeric = ["double", "currency", "percent"].includes(field.type);
  return {
    aggregatable: field.filterable ?? true,
    aiPredictionField: false,
    autoNumber: field.autoNumber ?? false,
    byteLength: length * 3,
    calculated: field.calculated ?? false,
    calculatedFormula: field.formula ?? null,
    cascadeDelete: field.cascadeDelete ?? false,
    caseSensitive: false,
    compoundFieldName: null,
    controllerName: null,
    createable: field.calculated ? false : (field.createable ?? true),
    custom: field.name.endsWith("__c"),
    defaultValue: field.defaultValue ?? (field.type === "boolean" ? false : null),
    defaultValueFormula: null,
    defaultedOnCreate: field.defaultedOnCreate ?? false,
    dependentPicklist: false,
    deprecatedAndHidden: false,
    digits: field.type === "int" ? 8 : 0,
    displayLocationInDecimal: false,
    encrypted: false,
    externalId: field.externalId ?? false,
    extraTypeInfo: field.type === "textarea" ? (field.htmlFormatted ? "richtextarea" : "plaintextarea") : null,
    filterable: field.filterable ?? true,
    filteredLookupInfo: null,
    groupable: field.type !== "textarea" && field.type !== "datetime",
    highScaleNumber: false,
    htmlFormatted: field.htmlFormatted ?? false,
    idLookup: field.idLookup ?? false,
    inlineHelpText: field.inlineHelpText ?? null,
    label: field.label ?? field.name,
    length,
    mask: null,
    maskType: null,
    name: field.name,
    nameField: field.nameField ?? false,
    namePointing: (field.referenceTo?.length ?? 0) > 1,
    nillable: field.nillable ?? true,
    permissionable: field.name.endsWith("__c") || (field.nillable ?? true),
    picklistValues: (field.picklist ?? []).map(({ value, label, isDefault }) => ({
      active: true,
      defaultValue: isDefault ?? false,
      label: label ?? value,
      validFor: null,
      value,
    })),
    polymorphicForeignKey: (field.referenceTo?.length ?? 0) > 1,
    precision: numeric ? 18 : 0,
    queryByDistance: false,
    referenceTargetField: null,
    referenceTo: field.referenceTo ?? [],
    relationshipName: field.relationshipName ?? null,
    relationshipOrder: null,
    restrictedDelete: false,
    restrictedPicklist: field.restricted ?? false,
    scale: numeric ? (field.scale ?? 2) : 0,
    searchPrefilterable: false,
    soapType: soapTypes[field.type] ?? "xsd:string",
    sortable: field.filterable ?? true,
    type: field.type,
    unique: field.unique ?? false,
    updateable: field.calculated ? false : (field.updateable ?? true),
    writeRequiresMasterRead: false,
  };
}

function recordType(object: OrgObject, { Id, Name, DeveloperName, IsActive }: Row, version: string): Record<string, unknown> {
  const urls = { layout: `${urlsOf(object, version).sobject}/describe/layouts/${Id}` };
  return {
    active: IsActive,
    available: IsActive,
    defaultRecordTypeMapping: false,
    developerName: DeveloperName,
    master: false,
    name: Name,
    recordTypeId: Id,
    urls,
  };
}

/** What records have that have no record type. */
function masterRecordType(object: OrgObject, alone: boolean, version: string): Record<string, unknown> {
  const recordTypeId = "012000000000000AAA";
  const urls = { layout: `${urlsOf(object, version).sobject}/describe/layouts/${recordTypeId}` };
  return { active: true, available: true, defaultRecordTypeMapping: alone, developerName: "Master", master: true, name: "Master", recordTypeId, urls };
}

function urlsOf(object: OrgObject, version: string): Record<string, string> {
  const sobject = `/services/data/v${version}/sobjects/${object.name}`;
  return {
    compactLayouts: `${sobject}/describe/compactLayouts`,
    rowTemplate: `${sobject}/{ID}`,
    describe: `${sobject}/describe`,
    layouts: `${sobject}/describe/layouts`,
    sobject,
  };
}

function labelPlural(object: OrgObject): string {
  return object.definition.labelPlural ?? `${object.definition.label ?? object.name}s`;
}
