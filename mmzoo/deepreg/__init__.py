"""All that knows how DeepReg runs: adaptations, preflight checks, plugins and their autoload.

This file imports nothing at the top: it runs at the start of every Python program.
"""


def activate() -> None:
    """Make every later `import deepreg` adapted and full of the zoo's plugins.

    Programs need this only where the autoload is off (`MMZOO_AUTOLOAD=0`) or its `.pth` file is not
    installed. A DeepReg that is already imported is adapted as well, as far as its modules go.

    Raises:
        ImportError: TensorFlow was imported before with Keras 3, which DeepReg cannot use.
    """
    import os

    import mmzoo.onednn  # noqa: F401  (before TensorFlow)
    from mmzoo.deepreg import autoload

    os.environ[autoload.LEGACY_KERAS] = "1"  # before the zoo's models ask which Keras it is
    autoload.install()
    autoload.adapt_imported()
