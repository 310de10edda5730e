"""Options that take several values after one name."""

from typer.core import TyperCommand


class ManyValues(TyperCommand):
    """Lets ``--moving a b c`` stand for ``--moving a --moving b --moving c``, as shells glob."""

    def parse_args(self, ctx, args):
        """Repeat the name of each list option before every value but the first."""
        lists = {name for param in self.params if param.multiple for name in param.opts}
        spread, current = [], None
        for arg in args:
            if arg.startswith("--"):
                current = arg if arg in lists else None
            elif current and spread[-1] != current:
                spread.append(current)
            spread.append(arg)
        return super().parse_args(ctx, spread)
