import type { ErrorObject } from 'ajv';

/** Each choice is held against each error: of more than these, nobody reads all anyway. */
const ERRORS_MAX = 1000;

/**
 * Where a value may have one of several forms, a validator tells what is wrong with it in each of them. People mean one:
 * the form whose constant member, such as `kind`, is the one that stands there. Where none has it, what could stand there
 * is all that is said.
 */
export function ofTheChosenForm(errors: readonly ErrorObject[]): readonly ErrorObject[] {
  if (errors.length > ERRORS_MAX) return errors;
  let rest = errors;
  // Innermost first: what is left of an inner choice belongs to a form of the outer one.
  const choices = errors.filter(({ keyword }) => keyword === 'anyOf');
  for (const choice of choices.toSorted((a, b) => b.schemaPath.length - a.schemaPath.length)) {
    rest = narrowed(rest, choice);
  }
  return rest;
}

function narrowed(errors: readonly ErrorObject[], choice: ErrorObject): readonly ErrorObject[] {
  const forms = new Map<string, ErrorObject[]>();
  for (const error of errors) {
    const form = formOf(error, choice);
    if (form !== undefined) forms.set(form, [...(forms.get(form) ?? []), error]);
  }
  const marks = [...forms.values()].flat().filter((error) => isMark(error, choice));
  if (marks.length === 0) return errors;
  const others = errors.filter((error) => error !== choice && formOf(error, choice) === undefined);
  const chosen = [...forms.values()].filter((form) => !form.some((error) => isMark(error, choice)));
  if (chosen.length > 0) return [...others, ...chosen.flat()];
  const [first] = marks;
  if (first === undefined || marks.some(({ instancePath }) => instancePath !== first.instancePath)) return errors;
  const allowed = marks.flatMap(({ params }) => (params.allowedValues ?? [params.allowedValue]) as unknown[]);
  const message = `must be one of ${[...new Set(allowed)].map((value) => `\`${String(value)}\``).join(', ')}`;
  return [...others, { ...first, keyword: 'enum', params: { allowedValues: allowed }, message }];
}

/** Which form of a choice an error is about. */
function formOf(error: ErrorObject, choice: ErrorObject): string | undefined {
  const isInside =
    error.schemaPath.startsWith(`${choice.schemaPath}/`) &&
    (error.instancePath === choice.instancePath || error.instancePath.startsWith(`${choice.instancePath}/`));
  return isInside ? error.schemaPath.slice(choice.schemaPath.length + 1).split('/', 1)[0] : undefined;
}

/** Is it about a constant that tells the forms apart: a member of the value itself? */
function isMark({ keyword, instancePath }: ErrorObject, choice: ErrorObject): boolean {
  if (keyword !== 'const' || !instancePath.startsWith(`${choice.instancePath}/`)) return false;
  return !instancePath.slice(choice.instancePath.length + 1).includes('/');
}
