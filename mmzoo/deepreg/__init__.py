"""Integration with DeepReg: adaptations, preflight checks, plugins and their autoload.

This file imports nothing at the top: it runs at the start of every Python program.
"""


def activate() -> None:
    """Adapt DeepReg, and register the zoo's plugins in it, when it is imported.

    Programs need this only where the autoload is off (`MMZOO_AUTOLOAD=0`) or its `.pth` file is not
    installed. A DeepReg that is imported already is adapted as well, but see
    `autoload.adapt_imported`.

    Raises:
        ImportError: TensorFlow was imported before with Keras 3, which DeepReg cannot use.
    """
    import os

    import mmzoo.onednn  # noqa: F401  (before TensorFlow)
    from mmzoo.deepreg import autoload

    os.environ[autoload.LEGACY_KERAS] = "1"  # before the zoo's models ask which Keras it is
    autoload.install()
    autoload.adapt_imported()
