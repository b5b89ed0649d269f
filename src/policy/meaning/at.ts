/** The element at an index that is known to be there. @throws RangeError where it is not: a mistake of ours, never a guess */
export function at<T>(list: readonly T[], index: number): T {
  if (index < 0 || index >= list.length) throw new RangeError(`there is no element ${index}`);
  return list[index] as T;
}
