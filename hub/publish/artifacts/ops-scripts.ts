import backup from '../../../resources/publish/ops/backup.sh?raw'
import deploy from '../../../resources/publish/ops/deploy.sh?raw'
import encryption from '../../../resources/publish/ops/encryption.sh?raw'
import hubData from '../../../resources/publish/ops/hub-data.sh?raw'
import hubs from '../../../resources/publish/ops/hubs.sh?raw'
import inWeb from '../../../resources/publish/ops/in-web.sh?raw'
import install from '../../../resources/publish/ops/install.sh?raw'
import lib from '../../../resources/publish/ops/lib.sh?raw'
import managerDocker from '../../../resources/publish/ops/manager-docker.sh?raw'
import managerPm2 from '../../../resources/publish/ops/manager-pm2.sh?raw'
import managerSystemd from '../../../resources/publish/ops/manager-systemd.sh?raw'
import preflight from '../../../resources/publish/ops/preflight.sh?raw'
import restore from '../../../resources/publish/ops/restore.sh?raw'
import restoreDrill from '../../../resources/publish/ops/restore-drill.sh?raw'
import rollback from '../../../resources/publish/ops/rollback.sh?raw'
import smoke from '../../../resources/publish/ops/smoke.sh?raw'
import switchScript from '../../../resources/publish/ops/switch.sh?raw'
import upgrade from '../../../resources/publish/ops/upgrade.sh?raw'

/** The scripts of `ops/`, the same for every target; a new one is one file in `resources/publish/ops` and one line here. */
export const opsScripts: readonly { name: string; text: string; why: string }[] = [
  { name: 'deploy.sh', text: deploy, why: 'Installs or upgrades, whichever fits; what fails is undone.' },
  { name: 'install.sh', text: install, why: 'deploy.sh for a machine that has no hub yet.' },
  { name: 'upgrade.sh', text: upgrade, why: 'deploy.sh for a machine that has one.' },
  { name: 'rollback.sh', text: rollback, why: 'Back to the release before, within seconds.' },
  { name: 'smoke.sh', text: smoke, why: 'Does what people and clients do, over https.' },
  { name: 'backup.sh', text: backup, why: 'Keeps all that the hubs have, and reads it back before older archives go.' },
  {
    name: 'restore.sh',
    text: restore,
    why: 'Puts a backup back, checked before and undone when the hubs are not healthy with it.',
  },
  {
    name: 'restore-drill.sh',
    text: restoreDrill,
    why: 'Restores the newest backup on trial: one that nobody restored is none.',
  },
  { name: 'hub-data.sh', text: hubData, why: 'The command line of the hub, with the folders of this installation.' },
  { name: 'hubs.sh', text: hubs, why: 'Starts, stops and asks the hubs, whatever runs them.' },
  { name: 'lib.sh', text: lib, why: 'What these scripts share: how steps are told, and how the outside is called.' },
  { name: 'encryption.sh', text: encryption, why: 'How archives are encrypted, looked at and decrypted, with age.' },
  { name: 'preflight.sh', text: preflight, why: 'What deploy.sh looks at before it changes anything.' },
  { name: 'switch.sh', text: switchScript, why: 'From one release to another and back, whole at each moment.' },
  {
    name: 'manager-docker.sh',
    text: managerDocker,
    why: 'How the scripts start, reload and ask the hubs under Docker Compose.',
  },
  { name: 'in-web.sh', text: inWeb, why: 'What manager-docker.sh asks from inside the container of nginx.' },
  { name: 'manager-pm2.sh', text: managerPm2, why: 'How the scripts start, reload and ask the hubs under PM2.' },
  { name: 'manager-systemd.sh', text: managerSystemd, why: 'The same for systemd.' },
]
