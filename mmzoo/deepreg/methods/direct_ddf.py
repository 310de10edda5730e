"""Method `direct-ddf`: the network predicts the displacement of every voxel.

Source: the U-Net of de Vos et al. 2020, in the design of Balakrishnan 2019:

    L = L_sim(F, M o u) + alpha bending(u)

Configuration: a backbone of three output channels at the size of the image, such as `voxelmorph`;
the rest, and what differs from DeepReg's `ddf`, as in `mmzoo.deepreg.methods.one_way`.
"""

from mmzoo.deepreg.methods.one_way import OneWayDDFModel


class DirectDDFModel(OneWayDDFModel):
    """Predicts `ddf` on the fixed grid in voxels: pred_fixed_image(x) = moving(x + ddf(x))."""

    method = "direct-ddf"
    remedy = "use voxelmorph, or method bspline-ddf for control points"
