"""What code defines: functions, classes, parameters, attributes and imports, found by reading it."""

import ast
from dataclasses import dataclass, field

from bookproof.printed import parsed


@dataclass
class Defined(ast.NodeVisitor):
    """What sources define: the parameters, attributes and imports that they mention."""

    every: set[str] = field(default_factory=set)
    parameters: set[str] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)
    imports: dict[str, str] = field(default_factory=dict)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """Note a class, and what stands in its body."""
        self.every.add(node.name)
        for part in node.body:
            if isinstance(part, (ast.FunctionDef, ast.ClassDef)):
                self.attributes.add(part.name)
            elif isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
                self.attributes.add(part.target.id)
            elif isinstance(part, ast.Assign):
                names = (node.id for node in ast.walk(part) if isinstance(node, ast.Name))
                self.attributes.update(names)
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """Note a function and its parameters."""
        self.every.add(node.name)
        self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> None:
        """Note a parameter."""
        self.every.add(node.arg)
        self.parameters.add(node.arg)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """Note an attribute that is set on an object."""
        if isinstance(node.ctx, ast.Store):
            self.attributes.add(node.attr)
        self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        """Note a module under the name that it gets."""
        for alias in node.names:
            self.imports[alias.asname or alias.name.partition(".")[0]] = (
                alias.name if alias.asname else alias.name.partition(".")[0]
            )

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """Note what is imported from a module."""
        for alias in node.names:
            if node.module and not node.level:
                self.imports[alias.asname or alias.name] = f"{node.module}:{alias.name}"

    def use(self, tree: ast.Module) -> None:
        """Note what code that runs uses: it would have stopped at a name that is not there."""
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                self.every.add(node.id)
            elif isinstance(node, ast.Attribute):
                self.attributes.add(node.attr)
                self.every.add(node.attr)
            elif isinstance(node, ast.keyword) and node.arg:
                self.every.add(node.arg)
                self.parameters.add(node.arg)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                self.every.add(node.value)


def definitions(tree: ast.AST, within: str = "") -> dict[str, ast.AST]:
    """Return the functions and classes that ``tree`` defines, by their names with dots."""
    found: dict[str, ast.AST] = {}
    for part in getattr(tree, "body", ()):
        if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found[within + part.name] = part
            found |= definitions(part, f"{within}{part.name}.")
    return found


def excerpt(source: str, options: dict[str, str]) -> str:
    """Return the object of ``source`` that a listing shows, or all of it."""
    tree = parsed(source)
    node = definitions(tree).get(options.get("pyobject", "")) if tree else None
    return ast.unparse(node) if node is not None else source
