"""What is changed in DeepReg 0.1.2, by module: applied right after the module is executed.

Each adaptation is one function that takes the module, with its reason in its docstring; most wrap a
function of it, by `wrapping`. None changes a value, a shape or an error message of DeepReg 0.1.2 on
TensorFlow 2.3.1, apart from the bugs that its docstring names. They are applied in the order of the
lists.
"""

from mmzoo.deepreg.adaptations import (
    checkpoint,
    commands,
    config,
    interpolation,
    labels,
    loading,
    memory,
    metrics,
    next_step,
    options,
    placement,
    precision,
    sampling,
    seeding,
    tensors,
)
from mmzoo.deepreg.adaptations.acceleration import bending, gmi, gradient, lncc, warp

ADAPTATIONS = {
    "deepreg.config.parser": [
        config.give_mapping,
        config.let_losses_be_absent,
        config.choose_scale,
        config.find_zoo_files,
        config.save_whole,
    ],
    "deepreg.registry": [precision.build_networks_in_policy],
    "deepreg.model.optimizer": [config.build_learning_rate_schedule],
    "deepreg.model.layer_util": [
        tensors.accept_unknown_batch,
        warp.sample_fast,
        tensors.draw_affine_per_batch,
        tensors.draw_ddf_per_batch,
        precision.resize_in_own_precision,
    ],
    "deepreg.model.layer": [precision.keep_fields_precise, precision.follow_when_made_late],
    "deepreg.loss.deform": [bending.bend_fast, gradient.differentiate_fast],
    "deepreg.loss.image": [gmi.count_fast, lncc.correlate_fast],
    "deepreg.dataset.loader.nifti_loader": [loading.keep_in_memory],
    "deepreg.dataset.loader.interface": [
        sampling.cut_patches_and_scale,
        labels.hand_over_all_labels,
        seeding.give_each_loader_its_draws,
    ],
    "deepreg.dataset.util": [seeding.seed_label_choice],
    "deepreg.dataset.loader.paired_loader": [seeding.seed_order],
    "deepreg.dataset.loader.unpaired_loader": [seeding.seed_order],
    "deepreg.dataset.loader.grouped_loader": [seeding.seed_order],
    "deepreg.util": [placement.place_outputs, metrics.leave_absent_metrics_out],
    "deepreg.train": [
        memory.read_flag_in_train,
        checkpoint.restore_in_train,
        checkpoint.say_when_nothing_is_left,
        commands.check_before_training,
        commands.set_epoch_length,
        options.build_as_asked,
        labels.ask_for_all_labels,
        commands.check_data,
        loading.read_ahead_when_seeded,
        next_step.name_prediction,
        commands.speak_shortly,
    ],
    "deepreg.predict": [
        memory.read_flag_in_predict,
        checkpoint.restore_in_predict,
        commands.check_before_prediction,
        commands.check_data,
        commands.require_data,
        interpolation.sample_by_bspline,
        placement.follow_prediction,
        next_step.leave_out_notice,
        next_step.name_evaluation,
        commands.speak_shortly,
    ],
    "deepreg.warp": [placement.place_outputs, placement.place_warped, commands.speak_shortly],
}
