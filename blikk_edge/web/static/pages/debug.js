// A running node.
export function Page() {
  return null;
}
