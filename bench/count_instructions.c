/* A plug-in of QEMU that counts the instructions a program runs, and prints them when it ends. See detector_choice.py.

   The functions are those of QEMU's plug-in interface, version 1 (docs/devel/tcg-plugins); its header is in no package.
*/
#include <inttypes.h>
#include <stdio.h>

#define EXPORT __attribute__((visibility("default")))
#define ADD_U64 0

struct qemu_plugin_tb;
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, void (*translated)(uint64_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *block, int operation, void *counter, uint64_t by);
void qemu_plugin_register_atexit_cb(uint64_t id, void (*ended)(uint64_t, void *), void *data);

EXPORT int qemu_plugin_version = 1;

static uint64_t count;

static void translated(uint64_t id, struct qemu_plugin_tb *block) {
    qemu_plugin_register_vcpu_tb_exec_inline(block, ADD_U64, &count, qemu_plugin_tb_n_insns(block));
}

static void ended(uint64_t id, void *data) {
    fprintf(stderr, "instructions: %" PRIu64 "\n", count);
}

EXPORT int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv) {
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, ended, NULL);
    return 0;
}
